"""The three forms of item availability agree: the queryset condition, the SQL fragment and the Python function."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.tenancy import scope
from recommendations.catalog import availability
from recommendations.catalog.models import Item

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Close to NOW, so that many dates are equal to the moment that is asked for.
MOMENTS = st.integers(-3, 3).map(lambda step: NOW + timedelta(microseconds=step))
ITEMS = st.lists(
    st.fixed_dictionaries(
        {
            "hidden": st.booleans(),
            "deleted_at": st.none() | MOMENTS,
            "available_from": st.none() | MOMENTS,
            "available_until": st.none() | MOMENTS,
        }
    ),
    max_size=12,
)


def by_sql(tenant, now, alias):
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT item_id FROM recommendations_item AS {alias or 'plain'} "
            f"WHERE tenant_id = %(tenant)s AND {availability.available_sql(alias)}",
            {"tenant": tenant.pk, "now": now},
        )
        return {item_id for (item_id,) in cursor.fetchall()}


def by_python(items, now):
    return {
        item.item_id
        for item in items
        if not availability.is_withdrawn(
            availability.withdrawal(now, *(getattr(item, column) for column in availability.COLUMNS)), now.timestamp()
        )
    }


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=ITEMS, now=MOMENTS)
def test_all_forms_agree(cast, drawn, now):
    tenant = cast.acme.tenant
    items = [Item(tenant=tenant, item_id=f"i{number}", **columns) for number, columns in enumerate(drawn)]
    with scope.tenant(tenant.pk):
        Item.objects.filter(tenant=tenant).delete()
        Item.objects.bulk_create(items)
        rows = Item.objects.filter(tenant=tenant)
        expected = by_python(items, now)

        assert set(rows.filter(availability.available(now)).values_list("item_id", flat=True)) == expected
        assert set(rows.exclude(availability.withdrawn(now)).values_list("item_id", flat=True)) == expected
        assert by_sql(tenant, now, "") == by_sql(tenant, now, "c") == expected
        assert (
            set(availability.withdrawn_ids(tenant_id=tenant.pk, now=now)) == {item.item_id for item in items} - expected
        )


@pytest.mark.django_db
class TestWithdrawals:
    @pytest.fixture
    def tenant(self, cast):
        acme = cast.acme
        with scope.tenant(acme.tenant.pk):
            Item.objects.bulk_create(
                [
                    Item(tenant=acme.tenant, item_id="plain", updated_at=NOW),
                    Item(tenant=acme.tenant, item_id="hidden", hidden=True, updated_at=NOW),
                    Item(tenant=acme.tenant, item_id="old", hidden=True, updated_at=NOW - timedelta(days=2)),
                    Item(
                        tenant=acme.tenant,
                        item_id="ending",
                        available_until=NOW + timedelta(hours=1),
                        updated_at=NOW - timedelta(days=2),
                    ),
                ]
            )
            yield acme.tenant

    def test_it_names_the_second_from_which_on_items_are_withdrawn(self, tenant):
        assert availability.withdrawals(tenant_id=tenant.pk, now=NOW) == {
            "hidden": 0.0,
            "old": 0.0,
            "ending": NOW.timestamp() + 3600,
        }

    def test_it_keeps_items_with_an_end_when_they_have_not_changed_since(self, tenant):
        since = NOW - timedelta(days=1)

        assert set(availability.withdrawals(tenant_id=tenant.pk, now=NOW, since=since)) == {"hidden", "ending"}

    def test_it_leaves_out_other_items_when_some_are_named(self, tenant):
        assert availability.withdrawals(tenant_id=tenant.pk, now=NOW, among=["old", "plain"]) == {"old": 0.0}
