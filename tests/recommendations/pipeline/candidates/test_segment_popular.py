"""Popular items of a segment: one of `segments`, or of an attribute that the rules name."""

from collections import Counter

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.models import EndUser, Interaction, ReferenceList
from recommendations.pipeline.candidates import segment_popular
from recommendations.placements.fallback_policy import segment_subjects
from tests.recommendations.pipeline.generated import build_now, fill, lists_of, stored
from tests.recommendations.pipeline.ranking.test_generate import publish_rules


@pytest.fixture
def tenant(cast):
    """Forty people of four tastes; each is in the segment of the taste, and in a country that is text or list."""
    tenant = cast.acme.tenant
    fill(tenant, people=40, items=60)
    with scope.tenant(tenant.pk):
        for number, person in enumerate(EndUser.objects.order_by("pk")):
            taste = f"taste {number % 4}"
            person.segments = [taste, "all"]
            person.attributes = {"taste": taste if number % 8 < 4 else [taste, "all"], "age": number, "flag": True}
            person.save(update_fields=["segments", "attributes"])
    return tenant


def counted(tenant, by):
    return segment_popular.popular_by_segment(
        tenant_id=tenant.pk, by=by, withdrawn={"i0000"}, locale="en", now=clock.now()
    )


@pytest.mark.django_db
class TestCounted:
    def test_by_segments_and_by_an_attribute_alike(self, tenant):
        own, named = counted(tenant, "segments"), counted(tenant, "attributes.taste")

        tastes = [f"taste {number}" for number in range(4)]
        assert own.keys() == {f"segments={name}" for name in [*tastes, "all"]}
        assert named.keys() == {f"attributes.taste={name}" for name in [*tastes, "all"]}
        for name in tastes:
            assert own[f"segments={name}"] == named[f"attributes.taste={name}"]
        assert own["segments=all"] != named["attributes.taste=all"]  # where half of the people are
        assert "i0000" not in {entry.item_id for entries in own.values() for entry in entries}

    def test_orders_by_what_its_people_choose(self, tenant):
        with scope.tenant(tenant.pk):
            chosen = Counter(
                Interaction.objects.filter(end_user__segments__contains=["taste 1"]).values_list(
                    "item__item_id", flat=True
                )
            )

        best = [entry.item_id for entry in counted(tenant, "segments")["segments=taste 1"]]

        assert set(best) == chosen.keys() - {"i0000"}
        assert sum(int(item_id[1:]) % 4 == 1 for item_id in best[:15]) >= 14

    def test_makes_none_of_numbers_or_of_what_nobody_has(self, tenant):
        assert [counted(tenant, f"attributes.{name}") for name in ("age", "flag", "none")] == [{}, {}, {}]

    def test_makes_none_of_a_few_people(self, tenant):
        with scope.tenant(tenant.pk):
            for person in EndUser.objects.order_by("pk")[: segment_popular.MIN_USERS]:
                person.segments = ["pair", "few"] if person.user_id < "u0002" else ["few"]
                person.save(update_fields=["segments"])

        found = counted(tenant, "segments")

        assert "segments=few" in found
        assert "segments=pair" not in found

    def test_of_many_keeps_the_largest(self, tenant, monkeypatch):
        monkeypatch.setattr(segment_popular, "MAX_SEGMENTS", 1)

        assert list(counted(tenant, "segments")) == ["segments=all"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("segments", ("segments=a", "segments=b")),
        ("attributes.country", ("attributes.country=de",)),
        ("attributes.cities", ("attributes.cities=Bonn",)),
        ("attributes.age", ()),
        ("attributes.none", ()),
    ],
)
def test_a_person_is_in_the_segments_that_the_rule_names(by, expected):
    attributes = {"country": "de", "cities": ["Bonn", "x" * 128, ""], "age": 3}

    assert segment_subjects(by, segments=["a", "b"], attributes=attributes) == expected


@pytest.mark.slow
def test_builds_make_lists_of_segments_and_cold_people_start_from_them(acme):
    with scope.tenant(acme.pk):
        for number, person in enumerate(EndUser.objects.order_by("pk")):
            person.attributes = {"taste": str(number % 4)}
            person.save(update_fields=["attributes"])
    publish_rules(acme, "home", {"segment_by": "attributes.taste", "exploration": 0, "fallback": ["segment"]})

    build = build_now(acme)

    with scope.tenant(acme.pk):
        rows = ReferenceList.objects.filter(build=build, kind="segment")
        held = {row.subject: [entry["item_id"] for entry in stored(row).entries()] for row in rows}
    assert held.keys() == {f"attributes.taste={number}" for number in range(4)}
    cold = stored(lists_of(acme, build)["u0040"])  # the first without a history; 40 % 4 is 0
    assert list(cold.head_ids[:10]) == held["attributes.taste=0"][:10]
