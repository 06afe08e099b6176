"""Staff's second factor: who must have one, what it lets in, and that each code counts once."""

import re

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import ApiClient, User
from accounts.staff import second_factor
from core import clock
from tests.accounts.admin.people import PASSWORD, act, entries, page, staff

GIVE, ENROL, CODES = "/admin/second-factor/", "/admin/second-factor/enrol/", "/admin/second-factor/codes/"


def code(device, *, ahead=0):
    """The code that the app shows now, or some steps later."""
    moment = TOTP(device.bin_key)
    moment.time = clock.now().timestamp() + 30 * ahead
    return f"{moment.token():06d}"


@pytest.fixture
def person(cast, settings):
    settings.STAFF_TOTP = "all"
    return staff("kim", is_superuser=True)


@pytest.fixture
def enrolled(person):
    """Somebody with a device and recovery codes, who has given their password and nothing else."""
    user, _ = person
    device = second_factor.begin(user)
    codes = second_factor.confirm(user, code(device), now=clock.now())
    device.refresh_from_db()
    device.last_t = -1  # the next test's code may be of this half minute
    device.save()
    browser = Client()
    browser.force_login(user)
    return user, browser, device, codes


class TestWho:
    @pytest.mark.parametrize(
        ("setting", "superuser", "must"),
        [("off", True, False), ("superusers", True, True), ("superusers", False, False), ("all", False, True)],
    )
    def test_must_have_one_is_a_setting(self, cast, settings, setting, superuser, must):
        settings.STAFF_TOTP = setting
        _, browser = staff("kim", is_superuser=superuser)

        response = browser.get("/admin/")

        assert (response.status_code == 302) is must
        if must:
            assert response["Location"].startswith(ENROL)

    def test_whoever_has_one_is_asked_for_it_whatever_the_setting_says(self, enrolled, settings):
        settings.STAFF_TOTP = "off"
        _, browser, _, _ = enrolled

        assert (
            browser.get("/admin/accounts/tenant/?q=a")["Location"]
            == f"{GIVE}?next=%2Fadmin%2Faccounts%2Ftenant%2F%3Fq%3Da"
        )

    def test_production_demands_it(self):
        from config.settings import base

        assert base.STAFF_TOTP == "all"


class TestSettingUp:
    def test_takes_the_apps_first_code_and_shows_recovery_codes_once(self, person):
        user, browser = person
        shown = browser.get(ENROL)
        text = shown.content.decode()
        assert "<svg" in text
        assert not any("style=" in image for image in re.findall(r"<svg.*?</svg>", text, re.DOTALL))
        assert "no-store" in shown["Cache-Control"]

        wrong = browser.post(ENROL, {"code": "000000" if code(TOTPDevice.objects.get()) != "000000" else "111111"})
        assert (wrong.status_code, second_factor.get_device(user)) == (422, None)
        with time_machine.travel(clock.now().timestamp() + 60, tick=True):
            done = browser.post(ENROL, {"code": code(TOTPDevice.objects.get())})

        assert second_factor.get_device(user) is not None
        codes = re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", done.content.decode())
        assert len(codes) == second_factor.CODES
        assert "no-store" in done["Cache-Control"]
        assert browser.get("/admin/").status_code == 200
        assert codes[0] not in str(list(StaticToken.objects.values_list("token", flat=True)))
        assert [entry.action for entry in entries(action="second_factor_set_up")] == ["second_factor_set_up"]

    def test_another_device_is_set_up_only_with_the_first(self, enrolled):
        _, browser, _, _ = enrolled

        assert browser.get(ENROL)["Location"] == GIVE
        assert browser.post(CODES)["Location"] == GIVE


class TestGiving:
    def test_lets_in_and_leads_to_where_one_was_going(self, enrolled):
        _, browser, device, _ = enrolled

        response = browser.post(GIVE, {"code": code(device), "next": "/admin/accounts/tenant/"})

        assert response["Location"] == "/admin/accounts/tenant/"
        assert browser.get("/admin/").status_code == 200
        assert len(entries(action="second_factor_given")) == 1

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/admin/", "/api/v1/items", ""])
    def test_and_nowhere_else(self, enrolled, elsewhere):
        _, browser, device, _ = enrolled

        assert browser.post(GIVE, {"code": code(device), "next": elsewhere})["Location"] == "/admin/"

    def test_a_code_counts_once(self, enrolled):
        user, browser, device, _ = enrolled
        same = code(device)
        assert browser.post(GIVE, {"code": same}).status_code == 302

        other = Client()
        other.force_login(user)
        assert other.post(GIVE, {"code": same}).status_code == 422
        assert other.get("/admin/").status_code == 302

    def test_a_recovery_code_too(self, enrolled):
        user, browser, _, codes = enrolled
        assert browser.post(GIVE, {"code": codes[0].upper()}).status_code == 302

        assert second_factor.codes_left(user) == second_factor.CODES - 1
        assert second_factor.verify(user, codes[0], now=clock.now()).device is None
        (entry,) = entries(action="second_factor_given")
        assert entry.note == "9 recovery codes left"

    def test_wrong_ones_are_answered_ever_more_slowly_and_not_without_end(self, enrolled):
        user, browser, device, _ = enrolled
        assert browser.post(GIVE, {"code": "000000"}).status_code == 422
        assert TOTPDevice.objects.get().throttling_failure_count == 1
        TOTPDevice.objects.update(throttling_failure_count=8)  # 128 s: longer than a slow machine takes
        assert b"Too many wrong codes" in browser.post(GIVE, {"code": code(device)}).content
        TOTPDevice.objects.update(throttling_failure_count=60)

        wait = second_factor.verify(user, code(device), now=clock.now()).wait_seconds

        assert 500 < wait <= 512
        assert [entry.outcome for entry in entries(action="second_factor_failed")] == ["refused"]

    @pytest.mark.parametrize("given", ["", "abc", "１２３４５６", "0" * 200, "\0", "-1"])
    def test_nonsense_is_wrong_and_no_more(self, enrolled, given):
        _, browser, _, _ = enrolled

        assert browser.post(GIVE, {"code": given}).status_code == 422


class TestProvingAnew:
    def old(self, browser):
        session = browser.session
        session["staff_proved"] = 0
        session.save()

    def test_comes_before_a_secret_is_made(self, cast, settings):
        _, browser = staff("kim", is_superuser=True)
        self.old(browser)

        asked = browser.get(page(ApiClient, "add"))
        assert asked["Location"].startswith("/admin/second-factor/step-up/?next=")
        assert browser.post(asked["Location"], {"_proof": "wrong"}).status_code == 422
        done = browser.post(asked["Location"], {"_proof": PASSWORD})

        assert done["Location"] == page(ApiClient, "add")
        assert browser.get(page(ApiClient, "add")).status_code == 200

    def test_and_before_one_is_replaced(self, cast):
        _, browser = staff("kim", is_superuser=True)
        self.old(browser)
        key = cast.acme.reader.client.pk

        assert b'type="password"' in act(browser, ApiClient, "renew_secret", key, _confirmed="").content
        assert act(browser, ApiClient, "renew_secret", key).status_code == 422
        assert act(browser, ApiClient, "renew_secret", key, _proof="wrong").status_code == 422
        assert b'id="secret-1"' in act(browser, ApiClient, "renew_secret", key, _proof=PASSWORD).content
        assert b'id="secret-1"' in act(browser, ApiClient, "renew_secret", key).content  # for a while

    def test_by_a_code_where_there_is_a_device(self, enrolled, cast):
        _, browser, device, _ = enrolled
        browser.post(GIVE, {"code": code(device)})
        self.old(browser)
        key = cast.acme.reader.client.pk

        assert act(browser, ApiClient, "renew_secret", key, _proof=PASSWORD).status_code == 422
        with time_machine.travel(clock.now().timestamp() + 60, tick=True):
            assert b'id="secret-1"' in act(browser, ApiClient, "renew_secret", key, _proof=code(device)).content


class TestLosingIt:
    def test_an_operator_resets_it_and_that_is_noted(self, enrolled, capsys):
        user, browser, _, _ = enrolled
        call_command("staff", "reset-totp", "kim", reason="phone stolen")

        assert second_factor.get_device(user) is None
        assert browser.get("/admin/")["Location"].startswith(ENROL)
        (entry,) = entries(action="reset_second_factor")
        assert (entry.via, entry.reason, entry.target) == ("command", "phone stolen", "kim")
        with pytest.raises(CommandError, match="There is no account 'nobody'"):
            call_command("staff", "reset-totp", "nobody")

    def test_a_colleague_does_so_only_for_whom_they_cover(self, enrolled):
        user, _, _, _ = enrolled
        helper, browser = staff("helper", "accounts.view_user", "accounts.change_user")
        TOTPDevice.objects.create(user=helper, confirmed=True)
        browser.post(GIVE, {"code": code(TOTPDevice.objects.get(user=helper))})

        act(browser, User, "reset_second_factor", user.pk)

        assert second_factor.get_device(user) is not None
        assert [entry.outcome for entry in entries(action="reset_second_factor")] == ["refused"]
