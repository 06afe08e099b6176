"""All reasons of an answer are in one language, whichever list it comes from."""

import re

import pytest

from accounts.tenancy import scope
from recommendations.explanations import templates
from recommendations.models import Build, EndUser, Placement, PlacementVersion
from tests import worlds
from tests.outages import redis_away
from tests.recommendations.pipeline.generated import build_now, fill

GERMAN = {"HTTP_ACCEPT_LANGUAGE": "xx, de-AT;q=0.9, en;q=0.5, *;q=0.1"}
PERSON = "/api/v1/users/{}/recommendations"
NOBODYS = (
    "/api/v1/recommendations/popular",
    "/api/v1/recommendations/popular?window=7d",
    "/api/v1/recommendations/trending",
    "/api/v1/recommendations/latest",
    "/api/v1/items/i0001/similar",
    "/api/v1/items/i0001/similar?limit=3",
    "/api/v1/items/i0001/frequently-bought-together",
)
VISIT = {"events": [{"item_id": "i0001"}, {"item_id": "i0005"}]}


def languages(answer):
    """The languages that the reasons of an answer may be in; only such as all of them may."""
    assert answer.status_code == 200, answer.content
    return spoken(answer.json())


def spoken(listed):
    """The same of a list."""
    reasons = [item["reason"] for item in listed["items"]]
    assert reasons
    said = {
        locale: re.compile(
            "|".join(
                re.escape(each).replace(r"\{0\}", ".+").replace(r"\{1\}", ".+")
                for three in kinds.values()
                for each in three
            )
        )
        for locale, kinds in templates._TEMPLATES.items()
    }
    return {locale for locale, pattern in said.items() if all(pattern.fullmatch(reason) for reason in reasons)}


@pytest.fixture
def acme(committed_db, cast):
    """Hans, who reads German, has a list; Uta, who does too, came after the build."""
    tenant = cast.acme.tenant
    fill(tenant, people=12, items=30)
    with scope.tenant(tenant.pk):
        EndUser.objects.filter(user_id="u0000").update(user_id="hans", locale="de")
    return cast.acme


@pytest.fixture
def built(acme):
    def make():
        build_now(acme.tenant)
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.create(tenant=acme.tenant, user_id="uta", locale="de-CH")

    worlds.begin_with("hans and uta", make)
    return acme


def follow(member, rules):
    """The active build's lists follow these rules."""
    with scope.tenant(member.tenant.pk):
        place = Placement.objects.get(name="home")
        version = PlacementVersion.objects.create(tenant=member.tenant, placement=place, number=1, rules=rules)
        Build.objects.update(versions={str(place.pk): version.pk})


def test_a_persons_own_language_is_spoken_throughout(built):
    for user_id in ("hans", "uta"):
        for query in ("", "?limit=30", "?category=kind+1", "?filter=item_id+>+'i0002'", "?explain=true"):
            answer = built.http.get(PERSON.format(user_id) + query, HTTP_ACCEPT_LANGUAGE="fr")

            assert languages(answer) == {"de"}, (user_id, query)


def test_the_request_says_it_where_nobody_is_known(built):
    for path in (*NOBODYS, PERSON.format("nobody"), PERSON.format("nobody") + "?category=kind+1"):
        plain, german = built.http.get(path), built.http.get(path, **GERMAN)

        assert (languages(plain), languages(german)) == ({"en"}, {"de"}), path
        ids = [[item["item_id"] for item in answer.json()["items"]] for answer in (plain, german)]
        assert ids[0] == ids[1]
        assert german["ETag"] != plain["ETag"]
        assert built.http.get(path, HTTP_IF_NONE_MATCH=german["ETag"], **GERMAN).status_code == 304
        assert built.http.get(path, HTTP_IF_NONE_MATCH=german["ETag"]).status_code == 200
        assert "Accept-Language" in german["Vary"]


def test_titles_stay_in_reasons_that_are_told_anew(built):
    reasons = {item["reason"] for item in built.http.get("/api/v1/items/i0001/similar", **GERMAN).json()["items"]}

    assert reasons == {"Ähnlich wie Title 1"}


def test_a_visit_is_spoken_to_as_it_asks(built):
    for query in ({}, {"limit": 30}, {"category": "kind 3"}):
        answers = [
            built.http.post("/api/v1/recommendations/session", {**VISIT, **query}, format="json", **headers)
            for headers in ({}, GERMAN)
        ]

        assert [languages(answer) for answer in answers] == [{"en"}, {"de"}], query


def test_what_meets_a_filter_instead_of_a_list_is_told_in_the_readers_language(built):
    follow(built, {"filter": "not item_id in ['i0001']"})

    assert languages(built.http.get(PERSON.format("uta"))) == {"de"}
    assert languages(built.http.get(PERSON.format("nobody"))) == {"en"}
    assert languages(built.http.get(PERSON.format("nobody"), **GERMAN)) == {"de"}


@pytest.mark.parametrize("pinned", [[], ["i0007"]])
def test_so_are_pinned_and_latest_items_before_the_first_build(acme, pinned):
    with scope.tenant(acme.tenant.pk):
        Placement.objects.update_or_create(tenant=acme.tenant, name="home", defaults={"pinned": pinned})

    assert languages(acme.http.get(PERSON.format("hans"))) == {"de"}
    assert languages(acme.http.get(PERSON.format("nobody"), **GERMAN)) == {"de"}
    assert languages(acme.http.get(PERSON.format("nobody"))) == {"en"}


def test_without_redis_too(built):
    with redis_away():
        assert languages(built.http.get(PERSON.format("uta"))) == {"de"}
        assert languages(built.http.get(PERSON.format("nobody"), **GERMAN)) == {"de"}


def test_a_batch_speaks_to_each_in_their_own(built):
    answer = built.http.post(
        "/api/v1/recommendations/batch", {"user_ids": ["hans", "uta", "nobody", "u0001"]}, format="json", **GERMAN
    )

    assert [spoken(each) for each in answer.json()["data"]] == [{"de"}, {"de"}, {"de"}, {"en"}]


def test_the_usual_answer_is_the_stored_head_still(built, round_trips, django_assert_num_queries):
    built.http.get(PERSON.format("hans"))
    round_trips.clear()

    with django_assert_num_queries(0):
        assert languages(built.http.get(PERSON.format("hans"), **GERMAN)) == {"de"}

    assert len(round_trips) == 1
