"""Precedence of an item's similar lists: those of a language model, and those of shared words."""

from datetime import timedelta

from accounts.tenancy import scope
from core import clock
from recommendations.cache import list_codec
from recommendations.models import ReferenceList
from recommendations.pipeline.builds import score
from recommendations.pipeline.lists import writer
from tests.recommendations.pipeline.fresh_items.stage import ids, put, take_in
from tests.recommendations.pipeline.generated import build_now


class TestWhoWins:
    """Both the words that texts share and a model of language can make the list of an item that nobody has chosen."""

    def model_made(self, acme, build, item_id, *others, at=None):
        now = at or clock.now()
        entries = [list_codec.Entry(each, 1.0, "Alike", (item_id,), "semantic") for each in others]
        provenance = list_codec.Provenance(build.pk, 1, "model", now.strftime("%Y-%m-%dT%H:%M:%SZ"), build.artefact_id)
        row = ReferenceList(
            tenant_id=acme.pk,
            build=build,
            kind="similar",
            subject=item_id,
            body=list_codec.encode(provenance=provenance, owner="", entries=entries),
            generated_at=now,
        )
        with scope.tenant(acme.pk):
            writer.write_reference_lists([row])

    def made(self, acme, build, item_id):
        with scope.tenant(acme.pk):
            return ids(ReferenceList.objects.get(build=build, kind="similar", subject=item_id))

    def test_in_a_build_the_model_does_whichever_chunk_comes_first(self, acme):
        put(acme, "cold", kind=1)
        build = build_now(acme, until="scoring")
        self.model_made(acme, build, "cold", "i0002")

        while score.score_chunk(tenant_id=acme.pk, build_id=build.pk):
            pass

        assert self.made(acme, build, "cold") == ["i0002"]

    def test_a_neighbour_does_not_replace_it(self, acme):
        put(acme, "cold", kind=1)
        build = build_now(acme)
        self.model_made(acme, build, "cold", "i0002")

        put(acme, "new", kind=1)
        take_in(acme)

        assert self.made(acme, build, "cold") == ["i0002"]

    def test_another_text_does(self, acme):
        put(acme, "cold", kind=1)
        build = build_now(acme)
        self.model_made(acme, build, "cold", "i0002", at=clock.now() - timedelta(minutes=1))

        put(acme, "cold", kind=2)
        take_in(acme)

        assert {int(item_id[1:]) % 4 for item_id in self.made(acme, build, "cold")} == {2}
