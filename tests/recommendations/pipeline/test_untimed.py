"""Events without times: what a build of them says, and lists that do not depend on the order of the file."""

import io
import json
from random import Random

import pytest
from django.core.management import call_command

from accounts.tenancy import scope
from recommendations.imports import chunks
from recommendations.models import Interaction
from tests.recommendations.imports.started import run, start
from tests.recommendations.pipeline.generated import artefact_of, build_now, lists_of, stored

HEADER = "user_id,item_id,type"


def rows(people=60, each=12, items=40):
    """Even people like even items."""
    draw = Random(3)
    pairs = [(user, 2 * item + user % 2) for user in range(people) for item in draw.sample(range(items // 2), each)]
    draw.shuffle(pairs)
    return [f"u{user},i{item},view" for user, item in pairs]


def load(tenant, lines, header=HEADER):
    assert run(start(tenant.pk, "\n".join([header, *lines, ""]))).status == "done"


def items_of(tenant, build):
    return {user: [each["item_id"] for each in stored(row).entries()] for user, row in lists_of(tenant, build).items()}


@pytest.fixture
def acme(committed_db, cast, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 100)
    return cast.acme.tenant


class TestUntimed:
    def test_a_build_learns_no_order_and_says_so(self, acme):
        load(acme, rows())

        build = build_now(acme)

        assert "All 720 events have one time" in build.notes
        chosen = artefact_of(build).chosen
        assert chosen["order"]["known"] is False
        assert all(label.endswith("/inf") or "/" not in label for label in chosen["weights"])
        assert not any(label.startswith(("next_item", "recent_popularity")) for label in chosen["validation_ndcg@10"])

    @pytest.mark.slow
    def test_lists_do_not_depend_on_the_order_of_the_file(self, cast, acme):
        lines = rows()
        load(acme, lines)
        load(cast.globex.tenant, lines[::-1])

        lists = [
            {
                user: [entry["item_id"] for entry in stored(row).entries()]
                for user, row in lists_of(tenant, build).items()
            }
            for tenant in (acme, cast.globex.tenant)
            for build in [build_now(tenant)]
        ]

        assert lists[0] == lists[1]

    @pytest.mark.slow
    def test_what_was_once_imported_with_an_instant_for_each_chunk_has_no_order_either(self, acme):
        load(acme, rows())
        with scope.tenant(acme.pk):
            events = list(Interaction.objects.order_by("id"))
            start_of_all = events[0].occurred_at.timestamp()
            for place, event in enumerate(events):
                event.occurred_at = type(event.occurred_at).fromtimestamp(
                    start_of_all + 3.1 * (place // 100), event.occurred_at.tzinfo
                )
            Interaction.objects.bulk_update(events, ["occurred_at"])

        build = build_now(acme)

        assert "720 events were loaded at once" in build.notes
        assert artefact_of(build).chosen["order"]["known"] is False

    @pytest.mark.slow
    def test_evaluate_treats_the_file_as_it_treats_the_tenant(self, acme, tmp_path):
        load(acme, rows())
        path = tmp_path / "events.csv"
        path.write_text("\n".join([HEADER, *rows(), ""]))

        of_tenant, of_file = (_evaluated(**source) for source in ({"tenant": "acme"}, {"events": path}))

        assert of_tenant["protocol"] == of_file["protocol"] == "rand10"
        assert of_tenant["served"] == of_file["served"]
        assert "no order" in of_tenant["source"]["order"]
        assert "no order" in of_file["source"]["order"]


def _evaluated(**source):
    out = io.StringIO()
    call_command("evaluate", json=True, model=["popularity"], stdout=out, **source)
    return json.loads(out.getvalue())
