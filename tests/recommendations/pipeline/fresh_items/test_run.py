"""New and changed items: taken in by the first process that can, known to every process, in lists within one step."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys, list_codec
from recommendations.catalog.task_names import TAKE_IN
from recommendations.models import Artefact, EndUser
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.candidates import pools
from recommendations.pipeline.fresh_items import audience, run, text_neighbours
from recommendations.pipeline.nearline import rescore
from tests.recommendations.pipeline.fresh_items.stage import fresh_rows, ids, put, similar_of, take_in, who_has
from tests.recommendations.pipeline.generated import build_now, first_build, happen, lists_of, stored
from tests.recommendations.pipeline.queue import sent


class TestTakeIn:
    def test_brings_a_new_item_into_similar_lists_and_to_whom_it_fits(self, acme):
        build = first_build(acme)
        put(acme, "new", kind=1)
        assert not similar_of(acme, "new")

        assert take_in(acme) == 1

        near = similar_of(acme, "new")
        assert near
        assert {int(item_id[1:]) % 4 for item_id in near} == {1}
        assert any("new" in similar_of(acme, item_id) for item_id in near)
        fans = who_has(acme, build, "new")
        assert fans >= {f"u{number:04d}" for number in range(1, 40, 4)}
        assert "new" in {
            entry["item_id"]
            for name in fans
            for entry in list_codec.decode(redis.client().get(keys.user_list(acme.pk, "home", name))).entries()
        }
        row = fresh_rows(acme)["new"]
        assert (row.waiting, row.place) == (False, 60)
        assert row.people >= len(fans)

    def test_finds_nothing_to_do_a_second_time(self, acme):
        build = first_build(acme)
        put(acme, "new")
        take_in(acme)
        versions = {name: row.version for name, row in lists_of(acme, build).items()}

        assert take_in(acme) == 0

        assert {name: row.version for name, row in lists_of(acme, build).items()} == versions

    def test_another_process_knows_what_one_has_taken_in(self, acme):
        build = first_build(acme)
        put(acme, "new", kind=2)
        take_in(acme)
        live.clear()  # what another process knows

        happen(acme, "u0002", "i0001")
        with scope.tenant(acme.pk):
            person = EndUser.objects.get(user_id="u0002")
        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        assert "new" in ids(lists_of(acme, build)["u0002"])

    def test_an_event_with_a_fresh_item_is_part_of_the_history(self, acme):
        build = first_build(acme)
        put(acme, "new", kind=3)
        take_in(acme)

        person = happen(acme, "newcomer", "new")
        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        made = stored(lists_of(acme, build)["newcomer"])
        assert made.provenance.source == "model"

    @pytest.mark.slow
    def test_who_chose_an_item_before_it_had_a_text_gets_a_personal_list_then(self, acme):
        build = first_build(acme)
        person = happen(acme, "newcomer", "stub")
        take_in(acme)
        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])
        assert stored(lists_of(acme, build)["newcomer"]).provenance.source == "popular"

        put(acme, "stub", kind=2)
        take_in(acme)

        assert stored(lists_of(acme, build)["newcomer"]).provenance.source == "model"

    def test_a_changed_item_goes_to_others(self, acme):
        build = first_build(acme)
        put(acme, "new", kind=1)
        take_in(acme)

        put(acme, "new", kind=2)
        take_in(acme)

        assert {int(item_id[1:]) % 4 for item_id in similar_of(acme, "new")} == {2}
        assert any(int(name[1:]) % 4 == 2 for name in who_has(acme, build, "new"))
        assert not any("new" in similar_of(acme, f"i{number:04d}") for number in range(1, 60, 4))

    def test_a_change_that_says_nothing_new_tells_nobody(self, acme):
        first_build(acme)
        put(acme, "i0007", kind=3, attributes={"price": 7})

        assert take_in(acme) == 0

        assert not fresh_rows(acme)["i0007"].waiting

    def test_an_item_that_was_hidden_when_the_lists_were_made_comes_back(self, acme):
        put(acme, "i0005", kind=1, hidden=True)
        build = build_now(acme)
        assert not who_has(acme, build, "i0005")

        put(acme, "i0005", kind=1)
        assert take_in(acme) == 1

        assert who_has(acme, build, "i0005")
        assert any("i0005" in similar_of(acme, f"i{number:04d}") for number in range(60))

    @pytest.mark.slow
    def test_an_item_comes_when_its_time_comes(self, acme):
        put(acme, "later", kind=1, available_from=(clock.now() + timedelta(hours=1)).isoformat())
        build = build_now(acme)
        assert take_in(acme) == 0

        run.process_fresh_items(tenant_id=acme.pk, now=clock.now() + timedelta(hours=1))

        assert not fresh_rows(acme)["later"].waiting
        assert fresh_rows(acme)["later"].shown
        assert build.pk

    def test_a_hidden_item_comes_into_no_list(self, acme):
        build = first_build(acme)
        put(acme, "new", hidden=True)
        take_in(acme)

        assert not who_has(acme, build, "new")
        assert not similar_of(acme, "new")

    def test_people_beyond_the_bounds_are_left_alone(self, acme, settings):
        settings.FRESH_PEOPLE_PER_ITEM, settings.FRESH_PEOPLE_PER_MINUTE = 3, 4
        build = build_now(acme)
        put(acme, "new", kind=1)
        put(acme, "newer", kind=2)
        take_in(acme)
        put(acme, "newest", kind=3)
        take_in(acme)

        changed = {name for name, row in lists_of(acme, build).items() if row.version > 1}
        assert len(changed) == 4
        assert [fresh_rows(acme)[name].people for name in ("new", "newer", "newest")] == [2, 2, 0]
        assert similar_of(acme, "newest")

    def test_the_sharpest_fits_come_first(self, acme, settings):
        settings.FRESH_PEOPLE_PER_ITEM = 5
        build_now(acme)

        pks, _ = audience.find_audience(
            tenant_id=acme.pk,
            items=[{f"i{number:04d}": 1.0 for number in range(2, 60, 4)}],
            per_item=5,
            limit=5,
            now=clock.now(),
        )

        with scope.tenant(acme.pk):
            names = list(EndUser.objects.filter(pk__in=pks).values_list("user_id", flat=True))
        assert {int(name[1:]) % 4 for name in names} == {2}

    def test_what_one_has_written_meanwhile_is_known_to_the_other(self, acme, monkeypatch):
        build = first_build(acme)
        put(acme, "one", kind=1)
        put(acme, "two", kind=1)
        really = text_neighbours.find_neighbours

        def overtaken(*args):
            monkeypatch.undo()
            found = really(*args)
            take_in(acme)
            return found

        monkeypatch.setattr(text_neighbours, "find_neighbours", overtaken)
        take_in(acme)

        assert {row.place for row in fresh_rows(acme).values()} == {60, 61}
        assert "two" in similar_of(acme, "one")
        assert "one" in similar_of(acme, "two")
        assert who_has(acme, build, "one")

    def test_the_newest_items_are_in_the_pool_at_once(self, acme):
        build = first_build(acme)
        with scope.tenant(acme.pk):
            artefact = Artefact.objects.get()
        alone = store.load(artefact_id=artefact.pk, file=artefact.file)

        def newest():
            loaded = live.with_fresh_items(alone, tenant_id=acme.pk, build_id=build.pk)
            return (
                pools.load_pools(by=frozenset(), tenant_id=acme.pk, loaded=loaded, locale="en", now=clock.now())
                .of_kind("latest")[0]
                .item_id
            )

        before = newest()
        put(acme, "new")
        take_in(acme)

        assert (before == "new", newest()) == (False, "new")


class TestSweep:
    def test_asks_for_tenants_where_something_waits(self, acme, cast):
        first_build(acme)
        assert run.sweep(now=clock.now()) == 0

        put(acme, "new")
        redis.client().delete("docent.default")
        assert run.sweep(now=clock.now()) == 1
        assert sent(TAKE_IN) == [{"tenant_id": acme.pk}]

        take_in(acme)
        assert run.sweep(now=clock.now()) == 0

    def test_a_change_asks_once_within_some_seconds(self, acme):
        redis.client().delete("docent.default")
        put(acme, "one")
        put(acme, "two")

        assert sent(TAKE_IN) == [{"tenant_id": acme.pk}]
