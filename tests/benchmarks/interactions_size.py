"""Measures interactions on disk, in writing and in reading: the figures of docs/adr/0004.

    .venv/bin/python -m config.devservers run --ephemeral bench -- \\
        .venv/bin/python -m tests.benchmarks.interactions_size --rows 2000000

The product's own table is filled by the product's own statement (`interactions.store.insert`: COPY into a staging
table, one INSERT), under row-level security and as the app's role. Three tables with the same rows are then filled by
one and the same statement, as the owner, so that they compare: the same columns, the same partitioned by a hash of the
tenant, and one that names people, items and types by their texts. The server is the embedded one without fsync.
"""

import argparse
import os
import random
import statistics
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import psycopg

START = datetime(2025, 1, 1, tzinfo=UTC)
BATCH, TENANTS, PARTITIONS, TARGET = 20_000, 16, 16, 100_000_000
HISTORY_LIMIT = 200
TYPES = ("view", "click", "cart", "purchase")

_STAGED = """position integer, tenant_id bigint, occurred_at timestamptz, user_pk bigint, item_pk bigint, digest uuid,
    type_pk integer, value float8, user_id text, item_id text, type text"""
_NARROW = """id bigint NOT NULL DEFAULT nextval('bench.ids'), occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL, tenant_id bigint NOT NULL, end_user_id bigint NOT NULL, item_id bigint NOT NULL,
    digest uuid NOT NULL, type_id integer NOT NULL, value float8, event_id text, recommendation_id text,
    context jsonb"""
_TEXTS = """id bigint NOT NULL DEFAULT nextval('bench.ids'), occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL, tenant_id bigint NOT NULL, user_id text NOT NULL, item_id text NOT NULL,
    digest uuid NOT NULL, type text NOT NULL, value float8, event_id text, recommendation_id text, context jsonb"""
_INDEXES = (
    "ALTER TABLE bench.{0} ADD CONSTRAINT {0}_id PRIMARY KEY ({key})",
    "ALTER TABLE bench.{0} ADD CONSTRAINT {0}_digest UNIQUE (tenant_id, digest)",
    "CREATE INDEX {0}_history ON bench.{0} ({user}, occurred_at, id)",
    "CREATE INDEX {0}_time ON bench.{0} (tenant_id, occurred_at, id)",
)
_INSERT = """INSERT INTO bench.{0} (occurred_at, received_at, tenant_id, {user}, item_id, digest, {type}, value)
    SELECT occurred_at, now(), tenant_id, {columns}, digest, {kind}, value FROM staging ORDER BY digest
    ON CONFLICT (tenant_id, digest) DO NOTHING"""
_HISTORY = """SELECT item_id, occurred_at FROM bench.{0} WHERE tenant_id = %s AND {user} = %s
    ORDER BY occurred_at DESC, id DESC LIMIT {limit}"""
NUMBERS = {"user": "end_user_id", "type": "type_id", "columns": "user_pk, item_pk", "kind": "type_pk"}
WORDS = {"user": "user_id", "type": "type", "columns": "user_id, item_id", "kind": "type"}
VARIANTS = {
    "plain": ("CREATE TABLE bench.plain ({narrow})", "id", NUMBERS),
    "partitioned": (
        "CREATE TABLE bench.partitioned ({narrow}) PARTITION BY HASH (tenant_id)",
        "tenant_id, id",
        NUMBERS,
    ),
    "texts": ("CREATE TABLE bench.texts ({texts})", "id", WORDS),
}


def generate(rows: int, people: int, items: int) -> Iterator[list[tuple[Any, ...]]]:
    """Batches of one tenant each: a few people do much, a few items get much; times grow, as they arrive in life."""
    draw = random.Random(0)
    per_tenant = people // TENANTS
    for start in range(0, rows, BATCH):
        tenant = start // BATCH % TENANTS
        batch = []
        for position in range(min(BATCH, rows - start)):
            user = tenant * per_tenant + int(per_tenant * draw.random() ** 2)
            item = int(items * draw.random() ** 3)
            kind = draw.randrange(len(TYPES))
            moment = START + timedelta(seconds=(start + position) * 0.3 + draw.random())
            digest = uuid.UUID(int=draw.getrandbits(128))
            value = float(draw.randrange(1, 6)) if kind == 3 else None
            batch.append((position, tenant, moment, user, item, digest, kind, value))
        yield batch


def user_name(user: int, length: int) -> str:
    """An id as a tenant chooses it."""
    return f"customer-{user:0{length - 9}x}"


def item_name(item: int, length: int) -> str:
    """Likewise."""
    return f"item-{item:0{length - 5}d}"


class Product:
    """The real table through the real code."""

    def __init__(self, people: int, items: int) -> None:
        from accounts.models import Plan, Tenant
        from accounts.models.tenant import UNLIMITED
        from accounts.tenancy import scope
        from recommendations.models import EndUser, EventType, Item

        self.types: list[list[int]] = []
        self.people: dict[int, int] = {}
        self.item_pks: list[dict[int, int]] = []
        with scope.all_tenants("benchmark: its tenants"):
            plan = Plan.objects.create(name="Benchmark", **UNLIMITED)
            self.tenants = [Tenant.objects.create(slug=f"b{n}", name="B", plan=plan).pk for n in range(TENANTS)]
        per_tenant = people // TENANTS
        for number, tenant in enumerate(self.tenants):
            with scope.tenant(tenant):
                kinds = [EventType.objects.create(tenant_id=tenant, name=name) for name in TYPES]
                self.types.append([kind.pk for kind in kinds])
                wanted = range(number * per_tenant, (number + 1) * per_tenant)
                rows = [EndUser(tenant_id=tenant, user_id=user_name(user, 36)) for user in wanted]
                made = EndUser.objects.bulk_create(rows, batch_size=5000)
                self.people.update(zip(wanted, (row.pk for row in made), strict=True))
                things = [Item(tenant_id=tenant, item_id=item_name(item, 36)) for item in range(items)]
                created = Item.objects.bulk_create(things, batch_size=5000)
                self.item_pks.append({item: row.pk for item, row in enumerate(created)})

    def insert(self, batch: list[tuple[Any, ...]]) -> None:
        """One batch, in the tenant's scope, as an import does it."""
        from accounts.tenancy import scope
        from recommendations.interactions.writing import bulk_insert

        number = batch[0][1]
        tenant = self.tenants[number]
        rows = [
            (
                at, moment, moment, self.people[user], self.item_pks[number][item], digest,
                self.types[number][kind], value, None, None, None,
            )
            for at, _, moment, user, item, digest, kind, value in batch
        ]  # fmt: skip
        with scope.tenant(tenant):
            bulk_insert.insert_events(tenant_id=tenant, rows=rows, now=START)

    def read_history(self, user: int) -> int:
        """One person's history by the code of near line; returns how many rows it held."""
        from recommendations.interactions.user_histories import load_histories

        pk = self.people[user]
        tenant = self.tenants[user // (len(self.people) // TENANTS)]
        found = load_histories(tenant_id=tenant, user_pks=[pk], per_user=HISTORY_LIMIT)
        return len(found[pk].item_ids) if pk in found else 0


def make_variants(owner: psycopg.Connection) -> None:
    """The three tables for comparison."""
    owner.execute("CREATE SCHEMA bench")
    owner.execute("CREATE SEQUENCE bench.ids CACHE 1")
    for name, (create, key, columns) in VARIANTS.items():
        owner.execute(create.format(narrow=_NARROW, texts=_TEXTS))
        if name == "partitioned":
            for part in range(PARTITIONS):
                owner.execute(
                    f"CREATE TABLE bench.partitioned_{part} PARTITION OF bench.partitioned"
                    f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {part})"
                )
        for statement in _INDEXES:
            owner.execute(statement.format(name, key=key, **columns))


def insert_variants(
    owner: psycopg.Connection, batch: list[tuple[Any, ...]], spent: dict[str, float], length: int
) -> None:
    """One batch into each table; the copy into the staging table counts for each."""
    with owner.transaction():
        owner.execute(f"CREATE TEMPORARY TABLE staging ({_STAGED}) ON COMMIT DROP")
        started = time.perf_counter()
        with owner.cursor() as cursor, cursor.copy("COPY staging FROM STDIN") as copy:
            for row in batch:
                copy.write_row((*row, user_name(row[3], length), item_name(row[4], length), TYPES[row[6]]))
        copied = time.perf_counter() - started
        for name, (_, _, columns) in VARIANTS.items():
            started = time.perf_counter()
            owner.execute(_INSERT.format(name, **columns))
            spent[name] = spent.get(name, 0.0) + copied + time.perf_counter() - started


def sizes(owner: psycopg.Connection, table: str) -> dict[str, int]:
    """Bytes of the heap and of each kind of index, summed over partitions."""
    rows = owner.execute(
        """
        WITH RECURSIVE parts AS (
            SELECT %s::regclass::oid AS oid UNION ALL
            SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = parts.oid
        )
        SELECT 'heap', sum(pg_relation_size(oid)) FROM parts
        UNION ALL
        SELECT kind, sum(bytes) FROM (
            SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING btree ', '') AS kind,
                   pg_relation_size(indexrelid) AS bytes
            FROM pg_index JOIN parts ON indrelid = parts.oid
        ) AS indexes GROUP BY kind
        """,
        [table],
    ).fetchall()
    return {kind: int(size) for kind, size in rows}


def report_sizes(title: str, found: dict[str, int], rows: int) -> None:
    """Bytes a row, and what that makes for 100 million."""
    total = sum(found.values())
    print(f"\n{title}: {total / rows:.1f} bytes a row, {total / rows * TARGET / 1e9:.1f} GB for {TARGET:,} rows")
    for kind, size in sorted(found.items(), key=lambda pair: -pair[1]):
        print(f"  {size / rows:6.1f}  {kind}")


def report_times(title: str, milliseconds: list[float]) -> None:
    """The median and the tail."""
    marks = statistics.quantiles(milliseconds, n=100)
    print(f"  {title}: p50 {marks[49]:.2f}, p95 {marks[94]:.2f}, p99 {marks[98]:.2f} ms")


def read_all(owner: psycopg.Connection, product: Product, people: int, reads: int, length: int) -> None:
    """Histories of people drawn at random, each once: by the product's code, then by one statement from each table."""
    draw = random.Random(1)
    chosen = [draw.randrange(people // TENANTS * TENANTS) for _ in range(reads)]
    print(f"\nOne person's history, {reads} people drawn at random, at most {HISTORY_LIMIT} rows:")
    times, found = [], []
    for user in chosen:
        started = time.perf_counter()
        found.append(product.read_history(user))
        times.append((time.perf_counter() - started) * 1000)
    report_times(f"product (scope, join, types; {statistics.mean(found):.0f} rows on average)", times)
    for name, (_, _, columns) in VARIANTS.items():
        statement = _HISTORY.format(name, user=columns["user"], limit=HISTORY_LIMIT)
        times = []
        for user in chosen:
            key: object = user_name(user, length) if name == "texts" else user
            started = time.perf_counter()
            owner.execute(statement, [user // (people // TENANTS), key]).fetchall()
            times.append((time.perf_counter() - started) * 1000)
        report_times(f"{name}, one statement", times)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--people", type=int, default=48_000)
    parser.add_argument("--items", type=int, default=4_000, help="of each tenant")
    parser.add_argument("--reads", type=int, default=2_000)
    parser.add_argument("--id-length", type=int, default=36, help="characters of the ids in the table of texts")
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    owner = psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True)
    make_variants(owner)
    product = Product(asked.people, asked.items)
    spent: dict[str, float] = {}
    for batch in generate(asked.rows, asked.people, asked.items):
        started = time.perf_counter()
        product.insert(batch)
        spent["product"] = spent.get("product", 0.0) + time.perf_counter() - started
        insert_variants(owner, batch, spent, asked.id_length)
    print(f"{asked.rows:,} rows, {TENANTS} tenants, {asked.people:,} people, batches of {BATCH:,}")
    for name, seconds in spent.items():
        print(f"  {name}: {asked.rows / seconds:,.0f} rows/s")
    owner.execute("ANALYZE")
    report_sizes("product", sizes(owner, "recommendations_interaction"), asked.rows)
    for name in VARIANTS:
        report_sizes(name, sizes(owner, f"bench.{name}"), asked.rows)
    read_all(owner, product, asked.people, asked.reads, asked.id_length)


if __name__ == "__main__":
    main()
