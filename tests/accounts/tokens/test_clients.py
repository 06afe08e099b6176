"""Secrets of API clients: rotated with an overlap, or at once."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from accounts.tokens import clients
from core import clock

DAY = timedelta(days=1)


def renew(caller, **more):
    with scope.tenant(caller.client.tenant_id):
        return clients.renew_secret(client=caller.client, now=clock.now(), **more).secret


def good(caller, secret, *, later=timedelta(0)):
    try:
        clients.verify(client_id=caller.client.client_id, secret=secret, now=clock.now() + later)
    except clients.ClientRefused:
        return False
    return True


class TestRenewSecret:
    def test_with_an_overlap_both_are_good_until_it_ends(self, cast):
        caller = cast.acme.reader
        new = renew(caller, overlap=DAY)

        assert [good(caller, caller.secret), good(caller, new)] == [True, True]
        assert [good(caller, caller.secret, later=DAY), good(caller, new, later=DAY)] == [False, True]

    def test_without_one_the_old_stops_at_once(self, cast):
        caller = cast.acme.reader
        new = renew(caller)

        assert [good(caller, caller.secret), good(caller, new)] == [False, True]

    def test_at_once_ends_an_overlap_that_was_given(self, cast):
        caller = cast.acme.reader
        second = renew(caller, overlap=DAY)
        third = renew(caller)

        assert [good(caller, each) for each in (caller.secret, second, third)] == [False, False, True]

    @pytest.mark.parametrize("secret", ["", "wrong", "\ud800"])
    def test_nothing_else_is_good(self, cast, secret):
        renew(cast.acme.reader, overlap=DAY)

        assert not good(cast.acme.reader, secret)
