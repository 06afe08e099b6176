"""Near line: the list follows the events, and no event is lost whatever happens in between."""

from datetime import timedelta

import pytest
from django.db import connection

from accounts.tenancy import scope
from core import clock, redis
from core.redis import RedisUnavailable
from recommendations.cache import keys, list_cache, list_codec, withdrawn_items
from recommendations.interactions.task_names import RESCORE
from recommendations.models import EndUser, Item, UserList
from recommendations.pipeline.nearline import claims, rescore, snapshots, sweep
from recommendations.placements.models import Placement
from tests.recommendations.pipeline.generated import build_now, first_build, happen, lists_of, stored
from tests.recommendations.pipeline.queue import sent

# Of one update, besides the COPY of histories: those that open three scopes, and nine more.
STATEMENTS = 12


class Statements:
    """Those that were executed; a COPY is not among them."""

    def __init__(self):
        self.seen = []

    def __call__(self, execute, sql, *arguments):
        self.seen.append(sql)
        return execute(sql, *arguments)


def is_waiting(tenant, user_id):
    with scope.tenant(tenant.pk):
        return EndUser.objects.get(user_id=user_id).dirty_at is not None


class TestRescore:
    def test_replaces_the_list_in_postgres_and_redis(self, acme):
        build = first_build(acme)
        before = stored(lists_of(acme, build)["u0000"])
        chosen = before.entries()[0]["item_id"]
        person = happen(acme, "u0000", chosen)

        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1

        row = lists_of(acme, build)["u0000"]
        after = stored(row)
        assert chosen not in {entry["item_id"] for entry in after.entries()}
        assert (row.version, after.provenance.version, after.provenance.source) == (2, 2, "model")
        assert redis.client().get(keys.user_list(acme.pk, "home", "u0000")) == bytes(row.body)
        assert not is_waiting(acme, "u0000")

    def test_gives_a_new_person_a_list(self, acme):
        build = first_build(acme)
        person = happen(acme, "newcomer", "i0001", "i0005")

        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        assert stored(lists_of(acme, build)["newcomer"]).provenance.source == "model"

    def test_does_nothing_for_those_who_do_not_wait(self, acme):
        build = first_build(acme)
        person = happen(acme, "u0000", "i0001")

        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 0

        assert lists_of(acme, build)["u0000"].version == 2

    def test_without_a_build_they_wait_on(self, acme):
        person = happen(acme, "u0000", "i0001")

        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 0

        assert is_waiting(acme, "u0000")

    def test_news_during_the_scoring_keep_the_mark_and_are_asked_for_again(self, acme, monkeypatch):
        first_build(acme)
        person = happen(acme, "u0000", "i0001")
        really = snapshots.write_lists

        def more_news(*args):
            happen(acme, "u0000", "i0005")
            return really(*args)

        monkeypatch.setattr(snapshots, "write_lists", more_news)
        redis.client().delete("docent.nearline")
        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])
        monkeypatch.undo()

        assert is_waiting(acme, "u0000")
        assert {"tenant_id": acme.pk, "user_pks": [person.pk]} in sent(RESCORE)

    def test_of_two_at_once_one_has_the_person(self, acme, monkeypatch):
        build = first_build(acme)
        person = happen(acme, "u0000", "i0001")
        really = snapshots.write_lists

        def overtaken(*args):
            monkeypatch.undo()
            assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 0
            return really(*args)

        monkeypatch.setattr(snapshots, "write_lists", overtaken)
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1

        assert lists_of(acme, build)["u0000"].version == 2
        assert not is_waiting(acme, "u0000")

    def test_whose_claim_ran_out_writes_nothing_over_what_another_wrote(self, acme, monkeypatch):
        build = first_build(acme)
        person = happen(acme, "u0000", "i0001")
        really = snapshots.write_lists

        def overtaken(*args):
            monkeypatch.undo()
            claims.release_users(tenant_id=acme.pk, pks=[person.pk])
            rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])
            return really(*args)

        monkeypatch.setattr(snapshots, "write_lists", overtaken)
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 0

        assert lists_of(acme, build)["u0000"].version == 2

    def test_others_who_wait_come_along(self, acme, settings):
        settings.NEARLINE_DEBOUNCE_SECONDS = 0.0
        build = build_now(acme)
        first, *_ = [happen(acme, name, "i0001") for name in ("u0000", "u0001", "u0002")]

        assert rescore.rescore(tenant_id=acme.pk, user_pks=[first.pk]) == 3

        assert {lists_of(acme, build)[name].version for name in ("u0000", "u0001", "u0002")} == {2}
        assert not any(is_waiting(acme, name) for name in ("u0000", "u0001", "u0002"))

    def test_takes_so_many_statements_however_many_come_along(self, acme):
        build = first_build(acme)
        rescore.rescore(tenant_id=acme.pk, user_pks=[happen(acme, "u0000", "i0001").pk])  # what the process then knows

        counts = []
        for names in (["u0001"], ["u0002", "u0003"]):
            people = [happen(acme, name, "i0001") for name in names]
            statements = Statements()
            with connection.execute_wrapper(statements):
                assert rescore.rescore(tenant_id=acme.pk, user_pks=[each.pk for each in people]) == len(people)
            counts.append(len(statements.seen))

        assert counts == [STATEMENTS, STATEMENTS]
        assert {lists_of(acme, build)[f"u000{number}"].version for number in range(4)} == {2}

    def test_replaces_the_lists_at_all_placements(self, acme):
        with scope.tenant(acme.pk):
            Placement.objects.create(tenant=acme, name="basket")
        build = build_now(acme)
        person = happen(acme, "u0000", "i0001")

        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1

        with scope.tenant(acme.pk):
            rows = UserList.objects.filter(build=build, end_user=person).values_list("placement__name", "version")
            assert sorted(rows) == [("basket", 2), ("home", 2)]
        for name in ("basket", "home"):
            assert list_codec.decode(redis.client().get(keys.user_list(acme.pk, name, "u0000"))).provenance.version == 2

    def test_redis_away_leaves_the_mark(self, acme, settings):
        first_build(acme)
        person = happen(acme, "u0000", "i0001")
        url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
        redis.client.cache_clear()
        try:
            with pytest.raises(RedisUnavailable):
                rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])
        finally:
            settings.REDIS_URL = url
            redis.client.cache_clear()
            redis.breaker.record_success()

        assert is_waiting(acme, "u0000")

    @pytest.mark.slow
    def test_keeps_the_words_of_ai_for_the_items_that_stay(self, acme, simulated_ai):
        build = build_now(acme, ai=True)
        before = stored(lists_of(acme, build)["u0000"])
        assert before.provenance.source == "ai"
        words = {
            entry["item_id"]: entry["reason"]
            for entry, part in zip(before.entries(), before.parts, strict=True)
            if part.endswith(":ai")
        }
        person = happen(acme, "u0000", before.entries()[0]["item_id"])

        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        after = stored(lists_of(acme, build)["u0000"])
        kept = [entry for entry in after.entries() if words.get(entry["item_id"]) == entry["reason"]]
        assert after.provenance.source == "model"
        assert after.provenance.simulated
        assert len(kept) == len(words.keys() & {entry["item_id"] for entry in after.entries()}) > 0


class TestSweep:
    def test_finds_those_whose_message_was_lost(self, acme, settings):
        first_build(acme)
        happen(acme, "u0000", "i0001")
        redis.client().delete("docent.nearline")
        settings.NEARLINE_DEBOUNCE_SECONDS = 0.0

        assert sweep.sweep(now=clock.now()) == 1

        assert sent(RESCORE) == [{"tenant_id": acme.pk, "user_pks": []}]

    @pytest.mark.slow
    def test_sends_a_tenant_with_many_waiting_people_one_message_like_any_other(self, acme, globex, settings):
        for tenant, names in ((acme, [f"u{number:04d}" for number in range(40)]), (globex, ["u0000"])):
            build_now(tenant)
            for name in names:
                happen(tenant, name, "i0001")
        redis.client().delete("docent.nearline")
        settings.NEARLINE_DEBOUNCE_SECONDS = 0.0

        assert sweep.sweep(now=clock.now()) == 41

        assert sorted(each["tenant_id"] for each in sent(RESCORE)) == sorted([acme.pk, globex.pk])

    def test_tenants_without_a_snapshot_wait_for_their_build(self, acme, settings):
        happen(acme, "u0000", "i0001")
        settings.NEARLINE_DEBOUNCE_SECONDS = 0.0

        assert sweep.sweep(now=clock.now()) == 0

    def test_tells_redis_again_of_what_was_withdrawn(self, acme):
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id="i0000").update(hidden=True, updated_at=clock.now())
        withdrawn_items.load(acme.pk, {})

        assert sweep.repeat_availability(now=clock.now()) == 1

        assert withdrawn_items.parse(withdrawn_items.snapshot(acme.pk)) == {"i0000": 0.0}

    def test_takes_back_an_item_whose_time_has_come(self, acme):
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id="i0001").update(available_from=clock.now() - timedelta(minutes=1))
        withdrawn_items.load(acme.pk, {"i0001": 0.0, "i0002": 0.0})

        sweep.repeat_availability(now=clock.now())

        assert withdrawn_items.parse(withdrawn_items.snapshot(acme.pk)) == {"i0002": 0.0}


def test_an_older_body_does_not_replace_a_newer_one_in_redis(acme):
    build = first_build(acme)
    with scope.tenant(acme.pk):
        old = bytes(UserList.objects.get(build=build, end_user__user_id="u0000").body)
    person = happen(acme, "u0000", "i0001")
    rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

    list_cache.set_many([(keys.user_list(acme.pk, "home", "u0000"), old)])

    assert list_codec.decode(redis.client().get(keys.user_list(acme.pk, "home", "u0000"))).provenance.version == 2
