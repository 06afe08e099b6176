"""Fresh items and builds: kept by the next build of an artefact, absorbed by the next training."""

import pytest

from core import clock
from recommendations.pipeline.builds import lifecycle, publish, score, train
from tests.recommendations.pipeline.fresh_items.stage import fresh_rows, put, similar_of, take_in, who_has
from tests.recommendations.pipeline.generated import build_now, first_build, reread


def built_with(tenant, artefact_id, until="published"):
    """Lists made with an artefact that is there."""
    build = lifecycle.start(tenant_id=tenant.pk, reason="test", now=clock.now(), ai=False, artefact_id=artefact_id)
    train.train_step(tenant_id=tenant.pk, build_id=build.pk)
    if until == "published":
        while score.score_chunk(tenant_id=tenant.pk, build_id=build.pk):
            pass
        publish.publish_step(tenant_id=tenant.pk, build_id=build.pk)
    return reread(build)


class TestBuilds:
    @pytest.mark.slow
    def test_a_build_knows_what_came_since_the_training_of_its_artefact(self, acme):
        first = first_build(acme)
        put(acme, "new", kind=1)
        take_in(acme)

        again = built_with(acme, first.artefact_id)

        assert who_has(acme, again, "new")
        assert similar_of(acme, "new")
        assert not fresh_rows(acme, build=again)["new"].waiting

    @pytest.mark.slow
    def test_the_next_training_absorbs_them(self, acme):
        first_build(acme)
        put(acme, "new", kind=1)
        take_in(acme)

        again = build_now(acme)

        assert not fresh_rows(acme, build=again)
        assert similar_of(acme, "new")
        assert who_has(acme, again, "new")

    def test_what_comes_while_a_build_is_scored_is_in_its_lists_once_it_serves(self, acme):
        first_build(acme)
        coming = build_now(acme, until="scoring")
        while score.score_chunk(tenant_id=acme.pk, build_id=coming.pk):
            put(acme, "new", kind=1)
            take_in(acme)
        assert fresh_rows(acme, build=coming)["new"].waiting
        assert reread(coming).status == "scoring"

        publish.publish_step(tenant_id=acme.pk, build_id=coming.pk)
        take_in(acme)

        assert who_has(acme, coming, "new")
        assert any("new" in similar_of(acme, f"i{number:04d}") for number in range(60))
