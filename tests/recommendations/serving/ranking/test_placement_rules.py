"""Rules of a placement in POST /users/{id}/rank."""

from accounts.tenancy import scope
from core import clock
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import Entry, Provenance, encode
from recommendations.models import Build, EndUser, Placement
from recommendations.placements import versions
from recommendations.serving.ranking.prepared_cache import prepared_rankings
from tests.recommendations.lists import create_placement
from tests.recommendations.pipeline.ranking.test_variants import started
from tests.recommendations.serving.ranking.stage import URL, ask, ids, left_out


def ruled(acme, rules, name="search"):
    """A placement with these rules, newer than the last build."""
    create_placement(tenant_id=acme.tenant.pk, name=name)
    made = versions.create_draft(tenant_id=acme.tenant.pk, placement=name, rules=rules, now=clock.now())
    versions.publish_version(tenant_id=acme.tenant.pk, placement=name, number=made.number, now=clock.now())


class TestPlacement:
    def test_its_rules_hold(self, acme):
        rules = {
            "filter": "not categories contains 'kind 1'",
            "hide": ["i0002"],
            "consumed": {"exclude": False},
            "boosts": [{"when": "item_id = 'i0003'", "factor": 100}],
            "caps": [{"attribute": "categories", "most": 1}],
            "pins": [{"item_id": "i0006", "position": 1}],
        }
        ruled(acme, rules)

        answer = ask(acme.http, placement="search", item_ids=["i0001", "i0002", "i0003", "i0004", "i0006", "i0008"])

        assert ids(answer)[0] == "i0003"
        assert set(ids(answer)) == {"i0003", "i0004", "i0006", "i0008"}  # pins, caps and the like move nothing
        assert ids(answer).index("i0006") > ids(answer).index("i0004")
        assert left_out(answer) == {"i0001": "rules", "i0002": "rules"}
        assert (answer["placement"], answer["source"]) == ("search", "model")

    def test_a_rule_may_ask_of_the_person(self, acme):
        ruled(acme, {"filter": "categories contains user.segments", "consumed": {"exclude": False}})
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.filter(user_id="u0000").update(segments=["kind 3"])

        answer = ask(acme.http, placement="search", item_ids=["i0000", "i0003"])

        assert (ids(answer), left_out(answer)) == (["i0003"], {"i0000": "rules"})

    def test_an_unknown_one_is_named(self, acme):
        response = acme.http.post(URL.format("u0000"), {"item_ids": ["i0001"], "placement": "nowhere"}, format="json")

        assert response.status_code == 404
        assert response.json()["errors"][0]["pointer"] == "/placement"

    def test_without_one_those_of_home_do_not_hold(self, acme):
        ruled(acme, {"hide": ["i0002"]}, "home")
        with scope.tenant(acme.tenant.pk):
            place = Placement.objects.get(name="home")
            versions_now = {str(place.pk): place.active_version_id}
            Build.objects.filter(tenant=acme.tenant).update(versions=versions_now)
        prepared_rankings.clear()

        assert "i0002" in ids(ask(acme.http, rank_consumed=True))
        assert left_out(ask(acme.http, placement="home", rank_consumed=True))["i0002"] == "rules"

    def test_follows_the_arm_of_the_person_s_list(self, acme):
        experiment = started(acme.tenant, {}, {"rules": {"hide": ["i0002"]}})
        told = {}
        for letter, user_id in (("a", "u0000"), ("b", "u0001")):
            made = Provenance(1, 1, "model", "2026-11-30T08:00:00Z", arm=f"x{experiment.pk}{letter}")
            raw = encode(provenance=made, owner=user_id, entries=[Entry("i0040", 1.0, "Because")])
            list_cache.set_many([(keys.user_list(acme.tenant.pk, "home", user_id), raw)])
            told[letter] = ask(acme.http, user_id, placement="home", rank_consumed=True)

        assert ("i0002" in ids(told["a"]), left_out(told["b"])) == (True, {"i0002": "rules"})
        assert told["b"]["recommendation_id"].endswith(f".x{experiment.pk}b")
