"""Sessions of staff end, by age and by idleness; their cookies' names; where a log-in leads."""

import time_machine
from django.test import Client

from core import clock
from tests.accounts.admin.people import PASSWORD, entries, staff


def at(seconds):
    return time_machine.travel(clock.now().timestamp() + seconds, tick=True)


class TestEnding:
    def test_after_eight_hours_however_busy(self, cast):
        _, browser = staff("kim")
        start = clock.now().timestamp()
        for quarter in range(1, 33):
            with time_machine.travel(start + quarter * 900 - 30, tick=True):
                assert browser.get("/admin/").status_code == 200, quarter
        with time_machine.travel(start + 8 * 3600 + 30, tick=True):
            response = browser.get("/admin/")

        assert (response.status_code, response["Location"]) == (302, "/admin/login/?next=%2Fadmin%2F")
        assert browser.get("/admin/").status_code == 302

    def test_after_an_idle_hour(self, cast):
        _, browser = staff("kim")
        with at(3500):
            assert browser.get("/admin/").status_code == 200
        with at(3500 + 3700):
            assert browser.get("/admin/").status_code == 302
        assert [entry.action for entry in entries(action="logged_out")] == ["logged_out"]

    def test_one_from_before_the_limits_has_ended(self, cast):
        _, browser = staff("kim")
        session = browser.session
        del session["staff_began"]
        session.save()

        assert browser.get("/admin/").status_code == 302
        assert browser.get("/admin/login/").status_code == 200


def test_a_log_in_without_a_destination_leads_to_the_admin(cast):
    staff("kim")

    response = Client().post("/admin/login/", {"username": "kim", "password": PASSWORD})

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_changing_one_s_own_password_is_told(cast):
    _, browser = staff("kim")
    new = {"new_password1": "another-long-one-1", "new_password2": "another-long-one-1"}
    assert browser.post("/admin/password_change/", {"old_password": "wrong", **new}).status_code == 200
    assert entries(action="own_password_changed") == []

    assert browser.post("/admin/password_change/", {"old_password": PASSWORD, **new}).status_code == 302

    (entry,) = entries(action="own_password_changed")
    assert (entry.actor, entry.target) == ("kim", "kim")
    assert "another-long" not in str(entry.__dict__)


def test_production_s_cookies_are_bound_to_the_host_and_to_tls():
    from config.settings import base

    for name in ("SESSION", "CSRF"):
        assert getattr(base, f"{name}_COOKIE_NAME").startswith("__Host-")
        assert getattr(base, f"{name}_COOKIE_SECURE") is True
        assert getattr(base, f"{name}_COOKIE_DOMAIN", None) is None
        assert getattr(base, f"{name}_COOKIE_PATH", "/") == "/"
    assert base.SESSION_COOKIE_AGE == 8 * 3600
