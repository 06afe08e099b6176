"""Summaries of imports over HTTP, and of dry runs."""

from accounts.tenancy import scope
from recommendations.models import Item
from tests.recommendations.api.v1.importing import URL, run, send


class TestSummary:
    def test_tells_the_times_and_types_of_events(self, cast):
        text = (
            "user_id,item_id,type,occurred_at\nu,a,view,2026-03-01T00:00:00Z\n"
            "u,b,gift_wrapped,2024-01-01T00:00:00Z\nu,c,view,2026-02-01T00:00:00Z\n"
        )

        for query in ("kind=events&dry_run=true", "kind=events"):
            summary = run(cast.acme, send(cast.acme.http, text, query=query)).json()["summary"]

            assert summary == {
                "skipped": 0,
                "occurred_from": "2024-01-01T00:00:00+00:00",
                "occurred_to": "2026-03-01T00:00:00+00:00",
                "untimed": 0,
                "types": {"view": 2, "gift_wrapped": 1},
                "types_without_weight": {"gift_wrapped": 1},
                "low_ratings": None,
                "emptied": {},
                "left_out": {},
            }

    def test_a_dry_run_tells_what_would_be_emptied(self, cast):
        run(cast.acme, send(cast.acme.http, "item_id,title,categories\na,A,x\nb,B,\n"))
        text = "item_id,title,categories\na,,\nb,B,\n"

        done = run(cast.acme, send(cast.acme.http, text, query="kind=items&dry_run=true")).json()

        assert done["summary"]["emptied"] == {"title": 1, "categories": 1}
        assert cast.acme.http.get("/api/v1/items/a").json()["title"] == "A"

    def test_an_attribute_that_is_left_out_is_told_and_its_row_kept(self, cast):
        rows = '{"item_id": "a", "attributes": {"x": null, "y": "' + "z" * 1001 + '", "n": 1}}\n'

        answer = send(cast.acme.http, rows, content_type="application/x-ndjson")
        done = run(cast.acme, answer).json()

        assert (done["rows"]["created"], done["rows"]["rejected"]) == (1, 0)
        assert done["summary"]["left_out"] == {"x: null_attribute": 1, "y: too_long": 1}
        assert cast.acme.http.get("/api/v1/items/a").json()["attributes"] == {"n": 1}
        (told,) = cast.acme.http.get(f"{URL}/{done['import_id']}/errors").json()["data"]
        assert (told["field"], told["code"]) == ("attributes/y", "too_long")
        assert "omitted" in told["detail"]

    def test_one_that_keeps_nothing_has_failed_and_groups_what_was_wrong(self, cast):
        done = run(cast.acme, send(cast.acme.http, "item_id\n" + ("x" * 200 + "\n") * 300)).json()

        assert done["status"] == "failed"
        assert "No row was stored: all 300 rows" in done["error"]
        (group,) = done["rejections"]
        assert (group["field"], group["code"], group["count"]) == ("item_id", "too_long", 300)
        assert group["lines"] == [2, 3, 4, 5, 6]

    def test_groups_rejections_by_what_is_wrong(self, cast):
        rows = "".join(f"u,i,view,{time}\n" for time in ("0", "1850-01-01T00:00:00Z", "0", "12", "13"))

        answer = send(cast.acme.http, f"user_id,item_id,type,occurred_at\n{rows}", query="kind=events")
        groups = run(cast.acme, answer).json()["rejections"]

        assert [(group["code"], group["detail"][:12], group["lines"]) for group in groups] == [
            ("implausible_time", "12 is not a ", [5, 6]),
            ("no_time", "0 usually me", [2, 4]),
            ("no_time", "A year befor", [3]),
        ]

    def test_a_dry_run_keeps_nothing(self, cast):
        done = run(cast.acme, send(cast.acme.http, query="kind=items&dry_run=true")).json()

        assert (done["dry_run"], done["rows"]["created"], done["rows"]["rejected"]) == (True, 2, 1)
        with scope.tenant(cast.acme.tenant.pk):
            assert not Item.objects.exists()
