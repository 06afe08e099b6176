"""Tenant isolation as PostgreSQL reports it: policies, roles, and the rows visible inside and outside a scope."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connections

from accounts.tenancy import scope

# Tables with a tenant column that hold no tenant's data.
EXEMPT = {
    "accounts_user": "staff; a tenant here confines its user's admin pages",
}
_TABLES = """
    SELECT c.relname, a.attname, c.relrowsecurity, c.relforcerowsecurity, p.polname,
           pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    LEFT JOIN pg_policy p ON p.polrelid = c.oid
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND (a.attname IS NOT NULL OR p.oid IS NOT NULL)
    ORDER BY c.relname
"""
_ROLE = """
    SELECT rolname, rolsuper, rolbypassrls,
           (SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = rolname)
    FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True)
class Role:
    """A database role that the service uses."""

    used_for: str
    name: str
    superuser: bool
    bypasses_row_security: bool
    tables_owned: int


@dataclass(frozen=True)
class Table:
    """A table with rows of tenants. Counts rows visible outside every scope, and other tenants' rows inside one."""

    name: str
    column: str
    row_security: bool
    forced: bool
    policy: str
    seen_without_scope: int
    seen_of_others: int

    @property
    def fault(self) -> str:
        """Describes the fault; empty if there is none."""
        if not (self.row_security and self.forced):
            return "row-level security is not enabled and forced"
        if not all(name in self.policy for name in ("docent.tenant", "docent.scope", self.column)):
            return "its policy does not compare its tenant with the scope's"
        if self.seen_without_scope or self.seen_of_others:
            return "rows are seen that must not be"
        return ""


def roles() -> list[Role]:
    """Returns the role that serves, and the one that migrates."""
    found = []
    for used_for, alias in (("serving", "default"), ("migrating", "owner")):
        with connections[alias].cursor() as cursor:
            cursor.execute(_ROLE)
            found.append(Role(used_for, *cursor.fetchone()))
    return found


def faults(found: Sequence[Role]) -> list[str]:
    """Returns the faults of the roles."""
    serving, migrating = found
    told = []
    if serving.superuser or serving.bypasses_row_security or serving.tables_owned:
        told.append(f"the serving role {serving.name} is a superuser, exempt from row-level security, or an owner")
    if serving.name == migrating.name:
        told.append("one role serves and migrates")
    return told


def tables(tenants: Sequence[int]) -> list[Table]:
    """Inspects every table with rows of tenants, without a scope and in the scope of each tenant."""
    with connections["default"].cursor() as cursor:
        cursor.execute(_TABLES)
        rows = [row for row in cursor.fetchall() if row[0] not in EXEMPT]
    return [_looked_at(row, tenants) for row in rows]


def _looked_at(row: Any, tenants: Sequence[int]) -> Table:
    name, column, enabled, forced, _, using, check = row
    column = column or "id"
    same = using == check
    others = 0
    for tenant_id in tenants:
        with scope.tenant(tenant_id):
            others += _count(name, f'"{column}" IS DISTINCT FROM %s', tenant_id)
    policy = using if same else f"using {using} with check {check}"
    return Table(name, column, enabled, forced, policy or "", _count(name, "true"), others)


def _count(table: str, condition: str, *values: int) -> int:
    """Counts visible rows, up to one, which is enough and fast."""
    with connections["default"].cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM (SELECT FROM "{table}" WHERE {condition} LIMIT 1) seen', values)  # noqa: S608
        return int(cursor.fetchone()[0])


def as_dicts(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Returns the rows as dictionaries for JSON."""
    return [asdict(row) | ({"fault": row.fault} if hasattr(row, "fault") else {}) for row in rows]
