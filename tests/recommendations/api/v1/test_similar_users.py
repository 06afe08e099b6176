"""Related people over the API, from a build's training to who is erased."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope
from core import clock
from recommendations.algorithms.data.dataset import Interactions
from recommendations.interactions.training_window import read_window
from recommendations.models import RelatedPeople
from recommendations.pipeline.builds import similar_users
from tests.recommendations.pipeline.generated import build_now, fill, happen

PEOPLE = 20


def url(user_id):
    return f"/api/v1/users/{user_id}/related"


@pytest.fixture
def acme(committed_db, cast):
    """Twenty people of four kinds, and one whom no training has seen."""
    fill(cast.acme.tenant, people=PEOPLE, items=40, cold=1)
    _write(cast.acme.tenant, read_window(tenant_id=cast.acme.tenant.pk).interactions(), clock.now())
    return cast.acme


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["user_id"] for row in answer.json()["data"]]


class TestRelatedPeople:
    def test_are_those_who_choose_alike_and_the_answer_says_how_it_was_made(self, acme):
        answer = acme.http.get(url("u0001"))
        body = answer.json()

        assert (body["user_id"], body["source"], body["degraded"], body["next"]) == ("u0001", "model", None, None)
        assert body["generated_at"].endswith("Z")
        assert [int(name[1:]) % 4 for name in ids(answer)[:4]] == [1, 1, 1, 1]
        scores = [row["score"] for row in body["data"]]
        assert scores == sorted(scores, reverse=True)
        assert 0 < scores[-1] <= scores[0] <= 1
        assert answer["Cache-Control"] == "private, no-cache"

    def test_of_somebody_whom_no_training_has_seen_are_nobody_and_it_says_so(self, acme):
        body = acme.http.get(url(f"u{PEOPLE:04d}")).json()

        assert (body["source"], body["degraded"]) == ("static", "no_build")
        assert (body["generated_at"], body["data"]) == (None, [])

    def test_of_an_unknown_person_are_404(self, cast, acme):
        assert acme.http.get(url("nobody")).status_code == 404
        assert cast.globex.http.get(url("u0001")).status_code == 404

    def test_come_in_pages_that_name_nobody_twice_also_when_a_training_comes_between(self, acme):
        everybody = ids(acme.http.get(url("u0001") + "?limit=100"))
        first = acme.http.get(url("u0001") + "?limit=5")
        with scope.tenant(acme.tenant.pk):
            row = RelatedPeople.objects.get(end_user__user_id="u0001")
            row.people.reverse()
            row.save()
        walked, cursor = ids(first), first.json()["next"]
        while cursor:
            page = acme.http.get(url("u0001") + f"?limit=5&cursor={cursor}")
            walked, cursor = walked + ids(page), page.json()["next"]

        assert 'rel="next"' in first["Link"]
        assert sorted(walked) == sorted(everybody)
        assert len(walked) == len(set(walked)) > 10

    @pytest.mark.parametrize(
        ("query", "name"),
        [("limit=0", "limit"), ("limit=101", "limit"), ("cursor=", "cursor"), ("window=1d", "window")],
    )
    def test_a_wrong_option_is_named(self, acme, query, name):
        answer = acme.http.get(f"{url('u0001')}?{query}")

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{name}")

    def test_a_cursor_is_good_for_its_person_only(self, acme):
        cursor = acme.http.get(url("u0001") + "?limit=5").json()["next"]

        assert acme.http.get(url("u0002") + f"?cursor={cursor}").status_code == 422

    def test_who_is_erased_or_merged_is_in_no_answer_from_then_on(self, acme):
        before = acme.http.get(url("u0001"))
        gone, joined, *_ = ids(before)

        assert acme.http.delete(f"/api/v1/users/{gone}").json()["rows"]["related_people"] == 1
        merge = acme.http.post("/api/v1/users/u0002/merge", {"from": joined}, format="json")
        after = acme.http.get(url("u0001"), headers={"If-None-Match": before["ETag"]})

        assert merge.json()["rows"]["related_people"] == 1
        assert not {gone, joined} & set(ids(after))
        assert set(ids(after)) == set(ids(before)) - {gone, joined}

    def test_cost_a_bounded_number_of_queries(self, acme):
        with CaptureQueriesContext(connection) as queries:
            acme.http.get(url("u0001"))

        assert len([each for each in queries if "recommendations_" in each["sql"]]) == 3

    def test_follow_the_next_training(self, acme):
        for _ in range(2):
            happen(acme.tenant, f"u{PEOPLE:04d}", "i0001", "i0005", "i0009", "i0013")
        build_now(acme.tenant)

        assert [int(name[1:]) % 4 for name in ids(acme.http.get(url(f"u{PEOPLE:04d}")))[:3]] == [1, 1, 1]


def _write(tenant, data, now):
    return similar_users.write(tenant_id=tenant.pk, interactions=data, now=now, checkpoint=lambda: None)


class TestWriting:
    def test_again_replaces_rows_and_removes_those_of_people_without_history(self, acme):
        window = read_window(tenant_id=acme.tenant.pk).interactions()
        later = clock.now() + timedelta(minutes=1)
        kept = window.select(window.users < 10)

        assert _write(acme.tenant, kept, later) == 10
        with scope.tenant(acme.tenant.pk):
            rows = list(RelatedPeople.objects.all())
        assert (len(rows), {row.generated_at for row in rows}) == (10, {later})

    def test_by_a_slower_worker_does_not_replace_what_is_newer(self, acme):
        window = read_window(tenant_id=acme.tenant.pk).interactions()

        assert _write(acme.tenant, window, clock.now() - timedelta(days=1)) == 0
        with scope.tenant(acme.tenant.pk):
            assert RelatedPeople.objects.count() == PEOPLE

    def test_leaves_out_who_was_erased_since_the_window_was_read(self, acme):
        window = read_window(tenant_id=acme.tenant.pk).interactions()
        acme.http.delete("/api/v1/users/u0005")

        assert _write(acme.tenant, window, clock.now()) == PEOPLE - 1

    def test_is_left_out_where_none_are_wanted(self, acme, settings):
        settings.RELATED_PEOPLE = 0
        window: Interactions = read_window(tenant_id=acme.tenant.pk).interactions()

        assert _write(acme.tenant, window, clock.now() + timedelta(seconds=1)) == 0
        assert acme.http.get(url("u0001")).json()["degraded"] == "no_build"
