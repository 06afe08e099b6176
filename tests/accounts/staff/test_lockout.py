"""Failed log-ins by account: guessing is slow, from one address and from many; staff are not locked out by it."""

import pytest
import time_machine
from axes.models import AccessAttempt, AccessLog
from django.core.management import call_command
from django.test import Client

from accounts.staff import lockout
from core import clock
from tests.accounts.admin.people import PASSWORD, entries, staff

LOGIN = "/admin/login/?next=/admin/"


def log_in(password, address="192.0.2.1", name="kim", **headers):
    return Client(REMOTE_ADDR=address, **headers).post(LOGIN, {"username": name, "password": password})


@pytest.fixture
def kim(cast):
    return staff("kim")[0]


def fail(times, **how):
    return [log_in("wrong", **how).status_code for _ in range(times)]


class TestOneAddress:
    def test_is_refused_after_a_few_even_with_the_password(self, kim):
        assert fail(5) == [200, 200, 200, 200, 429]
        refused = log_in(PASSWORD)

        assert (refused.status_code, refused["Retry-After"]) == (429, "900")
        assert log_in(PASSWORD, address="192.0.2.2").status_code == 302

    def test_for_a_while_that_trying_on_does_not_prolong(self, kim):
        fail(5)
        started = clock.now().timestamp()
        with time_machine.travel(started + 800, tick=True):
            assert fail(2) == [429, 429]
        with time_machine.travel(started + 905, tick=True):
            assert log_in(PASSWORD).status_code == 302

    def test_a_success_forgets(self, kim):
        fail(4)
        assert log_in(PASSWORD).status_code == 302
        assert fail(4) == [200] * 4

    def test_browsers_do_not_count_apart(self, kim):
        assert [fail(1, HTTP_USER_AGENT=f"agent {number}")[0] for number in range(5)][-1] == 429

    def test_is_the_one_behind_the_trusted_proxies(self, kim, settings):
        settings.TRUSTED_PROXIES = 1
        fail(5, address="10.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.7")

        assert log_in(PASSWORD, address="10.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.7").status_code == 429
        other = log_in(PASSWORD, address="10.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.7, 198.51.100.8")
        assert other.status_code == 302

    def test_of_ipv6_the_network_counts(self, kim):
        for number in range(5):
            fail(1, address=f"2001:db8:1:2::{number + 1}")

        assert log_in(PASSWORD, address="2001:db8:1:2::ffff").status_code == 429
        assert log_in(PASSWORD, address="2001:db8:1:3::1").status_code == 302


class TestManyAddresses:
    def guess(self, times, first=1):
        for number in range(times):
            fail(1, address=f"203.0.113.{first + number}")

    def test_are_refused_together_later(self, kim, settings):
        self.guess(settings.STAFF_ACCOUNT_FAILURES)

        assert log_in(PASSWORD, address="203.0.113.200").status_code == 429

    def test_but_not_where_the_owner_logs_in(self, kim, settings):
        assert log_in(PASSWORD, address="192.0.2.9").status_code == 302
        self.guess(settings.STAFF_ACCOUNT_FAILURES)

        assert log_in(PASSWORD, address="203.0.113.200").status_code == 429
        assert log_in(PASSWORD, address="192.0.2.9").status_code == 302

    def test_and_other_accounts_are_not_touched(self, kim, settings):
        staff("lee")
        self.guess(settings.STAFF_ACCOUNT_FAILURES)

        assert log_in(PASSWORD, name="lee", address="203.0.113.1").status_code == 302


class TestTraces:
    def test_no_password_and_no_unknown_name_is_kept(self, kim):
        log_in("my-very-secret-password", name="my-password-in-the-wrong-field")

        kept = str(list(AccessAttempt.objects.values())) + str([entry.__dict__ for entry in entries()])
        assert "my-very-secret-password" not in kept
        assert "wrong-field" not in kept

    def test_the_audit_log_tells_of_log_ins_failures_and_one_lock_out(self, kim):
        fail(7)
        log_in(PASSWORD, address="192.0.2.2")

        told = [(entry.action, entry.outcome) for entry in entries(target="kim") if entry.address != "0.0.0.0"]
        assert told.count(("log_in_failed", "refused")) == 5
        assert told.count(("locked_out", "refused")) == 1
        assert told[-1] == ("logged_in", "done")

    @pytest.mark.parametrize("name", ["nobody", "\0", "k" * 5000, ""])
    def test_a_name_that_is_none_is_refused_alike(self, kim, name):
        codes = fail(5, name=name)

        assert set(codes) <= {200, 429}

    def test_an_operator_ends_the_wait(self, kim, capsys):
        fail(5)
        call_command("staff", "unlock", "kim", reason="she called")

        assert "5 failures forgotten" in capsys.readouterr().out
        assert log_in(PASSWORD).status_code == 302
        assert entries(action="unlock")[0].reason == "she called"

    def test_what_no_decision_needs_goes(self, kim):
        fail(1)
        log_in(PASSWORD)
        later = clock.now() + 2 * lockout.KNOWN_FOR

        assert lockout.purge(now=later) > 0
        assert (AccessAttempt.objects.count(), AccessLog.objects.count()) == (0, 0)
