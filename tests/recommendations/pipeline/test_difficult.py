"""Difficult data: it is imported, built and served, and the lists make sense."""

import json
from io import StringIO
from random import Random

import numpy as np
import pytest
from django.core.management import call_command

from recommendations.algorithms.data.event_values import MAX_FACTOR
from recommendations.pipeline.artefacts.store import load
from recommendations.pipeline.lists import profiles
from tests.recommendations.imports.started import run, start
from tests.recommendations.pipeline.generated import artefact_of, build_now

BEGIN = 1_600_000_000


@pytest.fixture
def acme(committed_db, cast):
    return cast.acme


def load_events(member, rows, header):
    job = run(start(member.tenant.pk, "\n".join([header, *rows, ""])))
    assert job.status == "done", job.error
    return job


def listed(member, user_id, **asked):
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = member.http.get(f"/api/v1/users/{user_id}/recommendations?{query}")
    assert answer.status_code == 200, answer.content
    return [entry["item_id"] for entry in answer.json()["items"]]


def choices(people=50, each=8, items=40, seed=4):
    """(person, item): even people mostly choose even items."""
    draw = Random(seed)
    for person in range(people):
        own = draw.sample(range(person % 2, items, 2), each - 1)
        for item in (*own, draw.randrange((person + 1) % 2, items, 2)):
            yield person, item


def at(time, number):
    """The time of a row: of none, one for all, or of two rows in three."""
    if time == "none" or (time == "some" and number % 3 == 0):
        return ""
    return BEGIN if time == "equal" else BEGIN + 977 * number


def alike(person, items):
    """The share of the list's first five that is of the person's kind."""
    return sum(int(item[1:]) % 2 == person % 2 for item in items[:5]) / 5


class TestDifficult:
    @pytest.mark.parametrize(
        "time", [pytest.param("none", marks=pytest.mark.slow), pytest.param("equal", marks=pytest.mark.slow), "some"]
    )
    def test_fifty_people_whatever_is_known_of_time(self, acme, time):
        said = {
            "none": lambda n: "",
            "equal": lambda n: str(BEGIN),
            "some": lambda n: str(BEGIN + 977 * n) if n % 3 else "",
        }
        rows = [f"u{person},i{item},view,{said[time](n)}" for n, (person, item) in enumerate(choices())]
        load_events(acme, rows, "user_id,item_id,type,occurred_at")

        build = build_now(acme.tenant)

        assert build.status == "published"
        lists = {person: listed(acme, f"u{person}") for person in range(50)}
        assert min(len(items) for items in lists.values()) >= 10
        had = {(f"u{person}", f"i{item}") for person, item in choices()}
        assert not any((f"u{person}", item) in had for person, items in lists.items() for item in items)
        assert sum(alike(person, items) for person, items in lists.items()) / 50 > 0.7
        if time != "some":
            assert "so there is no order" in build.notes

    def test_one_item(self, acme):
        load_events(acme, [f"u{person},only,view" for person in range(30)], "user_id,item_id,type")

        assert build_now(acme.tenant).status == "published"
        # They have had it; what is popular is better than a blank page.
        assert listed(acme, "u1") == ["only"]
        assert listed(acme, "stranger") == ["only"]

    def test_one_person(self, acme):
        load_events(acme, [f"u,i{item},view" for item in range(30)], "user_id,item_id,type")

        assert build_now(acme.tenant).status == "published"
        assert len(listed(acme, "u")) >= 10
        assert len(listed(acme, "stranger")) >= 10

    @pytest.mark.slow
    def test_a_third_of_the_people_have_one_event(self, acme):
        rows = [f"u{person},i{item},view" for person, item in choices(people=60)]
        rows += [f"once{person},i{person % 40},view" for person in range(30)]
        load_events(acme, rows, "user_id,item_id,type")

        assert build_now(acme.tenant).status == "published"
        lists = [listed(acme, f"once{person}") for person in range(30)]
        assert min(map(len, lists)) >= 10
        assert sum(alike(person, items) for person, items in enumerate(lists)) / 30 > 0.6

    def test_no_item_file(self, acme):
        load_events(acme, [f"u{person},i{item},view" for person, item in choices()], "user_id,item_id,type")
        build_now(acme.tenant)

        entries = acme.http.get("/api/v1/users/u3/recommendations").json()["items"]
        assert all(entry["reason"] for entry in entries)


def plays(people=120):
    """People try everything, and play what is of their kind a hundred times as often."""
    draw = Random(9)
    for person in range(people):
        for item in draw.sample(range(60), 14):
            amount = (300 if item % 4 == person % 4 else 3) * draw.lognormvariate(0, 0.3)
            yield f"p{person:03d},i{item:02d},play,{amount:.0f}"


class TestValues:
    @pytest.mark.parametrize(
        "setting",
        ["log", pytest.param("threshold", marks=pytest.mark.slow), pytest.param("none", marks=pytest.mark.slow)],
    )
    def test_histories_weigh_as_the_training_did(self, acme, setting):
        """Lists are made from what was learnt from: in a build, near line, and in `evaluate`."""
        load_events(acme, plays(), "user_id,item_id,type,value")
        call_command("event_types", "play", tenant="acme", value_as_strength=setting, stdout=StringIO())

        build = build_now(acme.tenant)

        assert artefact_of(build).chosen["values"].get("play", {"way": "none"})["way"] == setting
        loaded = load(artefact_id=artefact_of(build).pk, file=artefact_of(build).file)
        person = profiles.read_user(tenant_id=acme.tenant.pk, user_id="p007")
        assert person is not None
        history = person.history_in(loaded)
        assert history.weights is not None
        weights = dict(zip((loaded.item_ids[place] for place in history.items), history.weights, strict=True))
        own = {item_id: value for (item_id, _), (_, value) in zip(person.events, person.values, strict=True)}
        strongest, weakest = max(own, key=own.__getitem__), min(own, key=own.__getitem__)
        usual = artefact_of(build).chosen["values"].get("play", {}).get("median", 1.0)
        apart = {"log": MAX_FACTOR / np.log2(1 + own[weakest] / usual), "threshold": 2.0, "none": 1.0}[setting]
        assert weights[strongest] / weights[weakest] == pytest.approx(apart, rel=0.01)

    @pytest.mark.slow
    def test_the_build_says_what_was_chosen(self, acme):
        load_events(acme, plays(), "user_id,item_id,type,value")

        build = build_now(acme.tenant)

        chosen = artefact_of(build).chosen["values"]["play"]
        assert set(chosen["ndcg@10"]) == {"none", "log", "threshold"}
        assert f"Values of play as strength: {chosen['way']} (on the fold: none 0." in build.notes

    def test_low_ratings_are_told_by_import_and_build(self, acme):
        draw = Random(2)
        rows = [f"u{person},i{item},rating,{draw.choice([1, 3, 4, 5])}" for person, item in choices()]
        job = load_events(acme, rows, "user_id,item_id,type,value")

        answer = acme.http.get(f"/api/v1/imports/{job.pk}").json()["summary"]["low_ratings"]
        assert (answer["ratings"], answer["below"], answer["count_against"]) == (400, 3.0, False)
        assert "are below 3 and count as positive" in build_now(acme.tenant).notes
        report = evaluated(tenant="acme")
        assert 0 < report["served"]["disliked_hits@10"] < 0.5
        assert "event_types --tenant SLUG rating --negative-below 3" in report["source"]["ratings"]

        call_command("event_types", "rating", tenant="acme", negative_below=3.0, stdout=StringIO())
        assert "are below 3 and count against their items" in build_now(acme.tenant).notes
        assert "disliked_hits@10" not in evaluated(tenant="acme")["served"]


def evaluated(**source):
    out = StringIO()
    call_command("evaluate", json=True, model=["popularity"], stdout=out, **source)
    return json.loads(out.getvalue())
