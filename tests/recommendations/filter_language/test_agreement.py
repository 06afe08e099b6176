"""A condition means the same to PostgreSQL and in memory, whatever the item, the person and the values."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.tenancy import scope
from recommendations import filter_language
from recommendations.filter_language import evaluator
from recommendations.models import Item
from tests.recommendations.filter_language.cases import CONDITIONS, NOW, item, person
from tests.size import sized

ITEMS = 60


@pytest.fixture
def items(cast):
    """Diverse items, as they come back from the database."""
    draw, tenant = Random(7), cast.acme.tenant
    with scope.tenant(tenant.pk):
        Item.objects.bulk_create(Item(tenant=tenant, **item(draw, number)) for number in range(ITEMS))
        yield list(Item.objects.filter(tenant=tenant))


def disagreement(items, text, who):
    """The ids that only one of both forms takes, and how many both take."""
    node = filter_language.bind(filter_language.parse(text), person=person(who), now=NOW)
    by_sql = set(
        Item.objects.filter(filter_language.condition(node), tenant=items[0].tenant).values_list("item_id", flat=True)
    )
    by_memory = {each.item_id for each in items if filter_language.holds(node, each)}
    return by_sql ^ by_memory, len(by_memory)


def compare(items, examples):
    """Runs the property; returns how many conditions took some items and left others."""
    telling = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(text=CONDITIONS, who=st.integers(0, 50))
    def agree(text, who):
        nonlocal telling
        differ, taken = disagreement(items, text, who)
        telling += 0 < taken < len(items)
        assert not differ, text

    agree()
    return telling


def test_sql_and_memory_agree_on_generated_conditions(items):
    assert compare(items, 150) > 30


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sql_and_memory_agree_on_ten_thousand_conditions(items):
    cases = sized(short=2_000, long=10_000)

    assert compare(items, cases) > cases / 5


@pytest.mark.slow
def test_a_form_that_orders_texts_otherwise_is_found(items, monkeypatch):
    honest = evaluator._compare

    def by_case(op, value, operand):
        return honest(op, *(each.lower() if isinstance(each, str) else each for each in (value, operand)))

    monkeypatch.setattr(evaluator, "_compare", by_case)

    with pytest.raises(AssertionError):
        compare(items, 2_000)
