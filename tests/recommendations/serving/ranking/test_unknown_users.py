"""POST /users/{id}/rank for users without a history, without consent, merged or erased."""

from accounts.models import FeatureFlag
from accounts.tenancy import scope, tenant_cache
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import Entry, Provenance, Voice, encode
from recommendations.models import EndUser, Item
from tests.recommendations.pipeline.generated import happen
from tests.recommendations.serving.ranking.stage import ITEM_IDS, URL, ask, ids, left_out


class TestNobodyKnown:
    def put_popular(self, acme, *item_ids):
        made = Provenance(1, 1, "popular", "2026-11-30T08:00:00Z")
        entries = [Entry(item_id, 9.0, "", (), "popularity") for item_id in item_ids]
        raw = encode(provenance=made, owner="", entries=entries, voice=Voice("en"))
        list_cache.set_many([(keys.reference_list(acme.tenant.pk, "popular"), raw)])

    def test_somebody_unknown_gets_what_is_popular_then_the_order_given(self, acme):
        self.put_popular(acme, "i0009", "i0005")
        assert acme.http.put("/api/v1/items/z", {"title": "z"}, format="json").status_code == 201

        answer = ask(acme.http, "stranger", ["z", "i0005", "i0009"])

        assert ids(answer) == ["i0009", "i0005", "z"]
        assert (answer["source"], answer["degraded"]) == ("popular", "unknown_user")
        assert [item["reason"] for item in answer["items"]] == ["Popular with everybody"] * 2 + ["Recommended"]

    def test_reasons_are_in_the_language_of_the_request(self, acme):
        self.put_popular(acme, "i0009")
        body = {"item_ids": ["i0009"]}

        response = acme.http.post(URL.format("stranger"), body, format="json", headers={"Accept-Language": "fr"})

        assert response.json()["items"][0]["reason"] == "Apprécié de tous"
        assert "Accept-Language" in response["Vary"]

    def test_somebody_without_a_history_gets_it_as_it_was_meant(self, acme):
        answer = ask(acme.http, "u0041")

        assert (answer["source"], answer["degraded"]) == ("popular", None)
        assert set(ids(answer)) == set(ITEM_IDS)

    def test_what_their_segment_likes_comes_first(self, acme):
        self.put_popular(acme, "i0009", "i0005")
        made = Provenance(1, 1, "popular", "2026-11-30T08:00:00Z")
        raw = encode(provenance=made, owner="", entries=[Entry("i0013", 1.0, "", (), "segment")])
        list_cache.set_many([(keys.reference_list(acme.tenant.pk, "segment", "segments=vip"), raw)])
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.filter(user_id="u0041").update(segments=["vip"])

        assert ids(ask(acme.http, "u0041", ["i0005", "i0009", "i0013"])) == ["i0013", "i0009", "i0005"]

    def test_whoever_opted_out_gets_nothing_of_their_own(self, acme):
        self.put_popular(acme, "i0009")
        with scope.tenant(acme.tenant.pk):
            FeatureFlag.objects.create(tenant=acme.tenant, name="recommendations", percent=0)
        tenant_cache.load()

        answer = ask(acme.http)

        assert (answer["source"], answer["degraded"], answer["left_out"]) == ("popular", "flag", [])
        assert ids(answer)[0] == "i0009"
        assert {tuple(item["evidence"]) for item in answer["items"]} == {()}

    def test_without_a_build_the_order_given_stays(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            Item.objects.bulk_create(Item(tenant=cast.acme.tenant, item_id=item_id) for item_id in "abc")

        answer = ask(cast.acme.http, "anybody", ["c", "a", "b"])

        assert ids(answer) == ["c", "a", "b"]
        assert (answer["source"], answer["degraded"]) == ("static", "no_build")


class TestPeople:
    def test_a_merged_person_has_both_histories_and_the_other_is_nobody(self, acme):
        happen(acme.tenant, "visitor-1", "i0003", "i0007")
        merged = acme.http.post("/api/v1/users/u0000/merge", {"from": "visitor-1"}, format="json")
        assert merged.status_code == 200, merged.content

        assert left_out(ask(acme.http))["i0003"] == "consumed"
        assert ask(acme.http, "visitor-1")["degraded"] == "unknown_user"

    def test_an_erased_person_is_nobody(self, acme):
        key = keys.user_list(acme.tenant.pk, "home", "u0000")
        made = Provenance(1, 1, "model", "2026-11-30T08:00:00Z")
        raw = encode(provenance=made, owner="u0000", entries=[Entry("i0059", 1.0, "Because you liked it")])
        assert acme.http.delete("/api/v1/users/u0000").status_code in (200, 202)
        list_cache.set_many([(key, raw)])

        answer = ask(acme.http)

        assert (answer["source"], answer["degraded"], answer["left_out"]) == ("popular", "unknown_user", [])
        assert "Because you liked it" not in {item["reason"] for item in answer["items"]}
