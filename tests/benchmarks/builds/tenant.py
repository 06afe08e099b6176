"""A tenant with generated interactions, for the benchmarks of builds."""

import numpy as np
from django.core.management import call_command
from django.db import connection

from accounts.models import Plan, Tenant
from accounts.models.tenant import UNLIMITED
from accounts.tenancy import scope, tenant_cache
from recommendations.algorithms.data.dataset import Interactions
from recommendations.interactions.event_weights import resolve_event_types
from recommendations.models import EndUser, Item
from tests.benchmarks.related import GROUPS, generated

SLUG, STARTED = "builds", 1_700_000_000.0
_EVENTS = """
    INSERT INTO recommendations_interaction (tenant_id, end_user_id, item_id, type_id, occurred_at, received_at, digest)
    SELECT %s, u, i, %s, to_timestamp(t), now(), lpad(to_hex(n), 32, '0')::uuid
    FROM unnest(%s::bigint[], %s::bigint[], %s::float8[]) WITH ORDINALITY AS row (u, i, t, n)
"""
_WORDS = ("amber", "river", "stone", "cloud", "maple", "north", "quiet", "silver", "echo", "field", "harbor", "lantern")


def interactions(*, items: int, users: int, events: int) -> Interactions:
    """So many events of each user, half of them of the user's own group of twenty."""
    return _of_each(generated(users, items, 4 * events), events)


def fill(data: Interactions) -> int:
    """Create a tenant with these interactions, and items with titles and categories; returns its key."""
    call_command("migrate", verbosity=0)
    with scope.all_tenants("benchmark: its tenant"):
        plan = Plan.objects.create(name="Benchmark", **UNLIMITED)
        tenant = Tenant.objects.create(slug=SLUG, name="Builds", plan=plan)
    tenant_cache.load()
    draw = np.random.default_rng(3)
    group_of = np.arange(data.item_count) * GROUPS // max(1, data.item_count)
    with scope.tenant(tenant.pk):
        items = [
            Item(tenant=tenant, item_id=name, title=_title(draw, group, place), categories=[f"group {group}"])
            for place, (name, group) in enumerate(zip(data.item_ids, group_of.tolist(), strict=True))
        ]
        Item.objects.bulk_create(items, batch_size=2_000)
        users = [EndUser(tenant=tenant, user_id=name) for name in data.user_ids]
        EndUser.objects.bulk_create(users, batch_size=2_000)
        kind = resolve_event_types(tenant_id=tenant.pk, names={"view"})["view"]
        user_pks = np.array([user.pk for user in users])[data.users]
        item_pks = np.array([item.pk for item in items])[data.items]
        assert data.times is not None
        with connection.cursor() as cursor:
            columns = [user_pks.tolist(), item_pks.tolist(), (STARTED + data.times).tolist()]
            cursor.execute(_EVENTS, [tenant.pk, kind, *columns])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return int(tenant.pk)


def _title(draw: np.random.Generator, group: int, place: int) -> str:
    words = [_WORDS[(group + each) % len(_WORDS)] for each in draw.integers(0, 6, size=3)]
    return f"{' '.join(words).title()} {place}"


def _of_each(data: Interactions, count: int) -> Interactions:
    """The newest so many rows of each user; a pair of user and item is one row, however often it was drawn."""
    from_the_end = data.starts()[data.users + 1] - np.arange(data.row_count)
    return data.select(from_the_end <= count)
