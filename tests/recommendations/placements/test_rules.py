"""Rules are read whole or refused with the place of every mistake; versions are written, published and rolled back."""

import pytest

from accounts.tenancy import scope
from core import clock
from core.errors import InvalidInput, NotFound
from recommendations.catalog.validators import FieldRefused
from recommendations.models import Placement, PlacementVersion
from recommendations.placements import versions
from recommendations.placements.rule_validation import read_rules
from recommendations.placements.rules import PLAIN
from recommendations.placements.task_names import APPLY_RULES
from tests.recommendations.lists import create_placement
from tests.recommendations.pipeline.queue import sent

WHOLE = {
    "kinds": [{"kind": "for_you", "take": 3}, {"kind": "trending"}],
    "fallback": ["trending", "latest"],
    "filter": "attributes.stock > 0",
    "boosts": [{"when": "categories contains 'New'", "factor": 1.5}],
    "pins": [{"item_id": "a", "position": 1, "from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}],
    "hide": ["b"],
    "diversity": {"relevance": 0.7, "over": "vectors"},
    "caps": [{"attribute": "attributes.brand", "most": 2, "within": 10}],
    "fresh": {"share": 0.2, "days": 14},
    "exploration": 0.05,
    "rotate_minutes": 60,
    "consumed": {"exclude": True, "return_after_days": 30},
    "ai": False,
    "prompt": "rerank-1",
}


class TestReadRules:
    def test_takes_everything_and_nothing(self):
        assert read_rules(WHOLE).caps[0].within == 10
        assert read_rules({}) == PLAIN

    @pytest.mark.parametrize(
        ("rules", "pointer", "code"),
        [
            ([], "", "not_an_object"),
            ({"colour": 1}, "/colour", "unknown_field"),
            ({"kinds": []}, "/kinds", "bad_kinds"),
            ({"kinds": [{"kind": "magic"}]}, "/kinds/0/kind", "unknown_word"),
            ({"kinds": [{"kind": "for_you", "take": 0}]}, "/kinds/0/take", "out_of_range"),
            ({"filter": "price > 3"}, "/filter", "bad_filter"),
            ({"boosts": [{"factor": 2}]}, "/boosts/0/when", "required"),
            ({"boosts": [{"when": "title = 'a'", "factor": -1}]}, "/boosts/0/factor", "out_of_range"),
            ({"pins": [{"item_id": "a\u0000b", "position": 1}]}, "/pins/0/item_id", "bad_character"),
            ({"pins": [{"item_id": "a", "position": 1}, {"item_id": "b", "position": 1}]}, "/pins/1", "pinned_twice"),
            ({"caps": [{"attribute": "price", "most": 1}]}, "/caps/0/attribute", "unknown_field"),
            ({"fresh": {"share": 2}}, "/fresh/share", "out_of_range"),
            ({"diversity": {"relevance": 0.5, "over": "colours"}}, "/diversity/over", "unknown_word"),
            ({"consumed": {"return_after_days": 0}}, "/consumed/return_after_days", "out_of_range"),
            ({"prompt": "rerank-0"}, "/prompt", "unknown_word"),
        ],
    )
    def test_names_the_place_of_a_mistake(self, rules, pointer, code):
        with pytest.raises(FieldRefused) as refused:
            read_rules(rules)

        assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


class TestVersions:
    @pytest.fixture
    def acme(self, cast):
        create_placement(tenant_id=cast.acme.tenant.pk, name="home")
        return cast.acme.tenant

    def of(self, acme, rules, *, publish=True):
        version = versions.create_draft(tenant_id=acme.pk, placement="home", rules=rules, now=clock.now())
        if publish:
            versions.publish_version(tenant_id=acme.pk, placement="home", number=version.number, now=clock.now())
        return version

    def active(self, acme):
        with scope.tenant(acme.pk):
            return Placement.objects.select_related("active_version").get(name="home").active_version

    def test_a_draft_changes_nothing_until_it_is_published(self, acme):
        first = self.of(acme, {}, publish=False)

        assert (first.number, self.active(acme)) == (1, None)

    def test_a_draft_can_be_changed_and_a_published_version_cannot(self, acme):
        self.of(acme, {}, publish=False)
        versions.change_draft(tenant_id=acme.pk, placement="home", number=1, rules={"hide": ["a"]})
        versions.publish_version(tenant_id=acme.pk, placement="home", number=1, now=clock.now())

        with pytest.raises(versions.VersionPublished):
            versions.change_draft(tenant_id=acme.pk, placement="home", number=1, rules={})
        assert self.active(acme).rules == {"hide": ["a"]}

    def test_rolling_back_publishes_the_version_before(self, acme):
        self.of(acme, {"hide": ["a"]})
        self.of(acme, {"hide": ["b"]})

        versions.roll_back_version(tenant_id=acme.pk, placement="home", now=clock.now())

        assert self.active(acme).number == 1

    def test_rolling_back_the_first_version_leaves_none_published(self, acme):
        self.of(acme, {"hide": ["a"]})

        assert versions.roll_back_version(tenant_id=acme.pk, placement="home", now=clock.now()) is None

        assert self.active(acme) is None
        with pytest.raises(NotFound):
            versions.roll_back_version(tenant_id=acme.pk, placement="home", now=clock.now())

    def test_publishing_asks_for_the_lists_to_be_made_anew(self, committed_db, cast):
        create_placement(tenant_id=cast.acme.tenant.pk, name="home")

        self.of(cast.acme.tenant, {})

        assert sent(APPLY_RULES) == [{"tenant_id": cast.acme.tenant.pk}]

    def test_rules_that_cannot_be_read_are_refused(self, acme):
        with pytest.raises(InvalidInput) as refused:
            self.of(acme, {"filter": "price >"})

        assert refused.value.errors[0].pointer == "/rules/filter"

    def test_a_prompt_that_a_later_release_has_no_more_cannot_be_published_and_stops_no_list(self, acme):
        version = self.of(acme, {"hide": ["a"]}, publish=False)
        with scope.tenant(acme.pk):
            PlacementVersion.objects.filter(pk=version.pk).update(rules={"hide": ["a"], "prompt": "rerank-0"})

        with pytest.raises(InvalidInput, match="rerank-1"):
            versions.publish_version(tenant_id=acme.pk, placement="home", number=1, now=clock.now())
        with scope.tenant(acme.pk):
            (rules,) = versions.rules_of_versions(tenant_id=acme.pk, versions={"1": version.pk}).values()
        assert (rules.hide, rules.prompt) == (frozenset({"a"}), "")

    def test_nobody_publishes_for_a_stranger(self, acme, cast):
        self.of(acme, {}, publish=False)

        with pytest.raises(NotFound):
            versions.publish_version(tenant_id=cast.globex.tenant.pk, placement="home", number=1, now=clock.now())
