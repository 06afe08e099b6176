"""Changes of availability over HTTP reach the withdrawn items that every process reads."""

import pytest

from recommendations.cache import withdrawn_items

URL = "/api/v1/items/"


def _gone(member):
    withdrawn_items.load(member.tenant.pk, {})
    return withdrawn_items.parse(withdrawn_items.snapshot(member.tenant.pk))


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    """Runs what waits for the commit, as a request outside a test does."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


class TestAvailability:
    def test_is_pushed_with_each_change(self, cast, committed):
        steps = [
            ({"hidden": False}, {}),
            ({"hidden": True}, {"a": 0.0}),
            ({"hidden": False}, {}),
            ({"available_until": "2036-01-01T00:00:00Z"}, {"a": 2_082_758_400.0}),
            ({"available_from": "2035-01-01T00:00:00Z"}, {"a": 0.0}),
        ]
        for body, gone in steps:
            with committed():
                cast.acme.http.put(URL + "a", body, format="json")
            assert _gone(cast.acme) == gone

    def test_is_pushed_when_an_item_is_deleted_and_comes_back(self, cast, committed):
        with committed():
            cast.acme.http.put(URL + "a", {}, format="json")
            cast.acme.http.delete(URL + "a")
        assert _gone(cast.acme) == {"a": 0.0}

        with committed():
            cast.acme.http.put(URL + "a", {}, format="json")
        assert _gone(cast.acme) == {}

    def test_is_pushed_before_the_answer(self, cast, committed_db):
        cast.acme.http.put(URL + "a", {}, format="json")
        cast.acme.http.patch(URL + "a", {"hidden": True}, format="json")

        assert _gone(cast.acme) == {"a": 0.0}
        assert _gone(cast.globex) == {}
