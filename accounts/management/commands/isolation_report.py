"""Prints evidence of tenant isolation for an auditor: database roles, policies, visible rows, access rules.

Nothing is changed. The exit status is 1 if something is wrong. `tests/contracts/service/test_isolation.py` checks that
the running service keeps to the matrix.
"""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.isolation import database, rules
from accounts.tenancy import tenant_cache
from core import clock


class Command(BaseCommand):
    """The report."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """As text, or as JSON."""
        parser.add_argument("--json", action="store_true", help="one JSON document")
        parser.add_argument("--tenants", type=int, default=10, help="number of tenants' scopes to check (10)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Looks, prints, and fails when something is wrong."""
        tenant_cache.load()
        tenants = sorted(tenant_cache.current().tenants)[: options["tenants"]]
        roles, tables, matrix = database.roles(), database.tables(tenants), list(rules.matrix())
        wrong = database.faults(roles) + [f"{table.name}: {table.fault}" for table in tables if table.fault]
        if options["json"]:
            told = {
                "made_at": clock.now().isoformat(),
                "tenants_looked_at": len(tenants),
                "roles": database.as_dicts(roles),
                "tables": database.as_dicts(tables),
                "exempt": database.EXEMPT,
                "matrix": [asdict(rule) for rule in matrix],
                "wrong": wrong,
            }
            self.stdout.write(json.dumps(told, indent=2))
        else:
            self._write(roles, tables, matrix, len(tenants))
        if wrong:
            raise CommandError("\n".join(wrong))

    def _write(self, roles: Any, tables: Any, matrix: Any, tenants: int) -> None:
        say = self.stdout.write
        say(f"Isolation of tenants, {clock.now():%Y-%m-%d %H:%M:%S} UTC\n\nDatabase roles")
        for role in roles:
            say(
                f"  {role.used_for:10} {role.name:24} superuser: {_yes(role.superuser)}  exempt: "
                f"{_yes(role.bypasses_row_security)}  tables owned: {role.tables_owned}"
            )
        say(f"\nTables with rows of tenants: row-level security on, forced; seen in the scopes of {tenants} tenants")
        for table in tables:
            say(
                f"  {table.name:42} {_yes(table.row_security)} {_yes(table.forced)}  without a scope: "
                f"{table.seen_without_scope}  of others: {table.seen_of_others}  {table.fault or 'kept apart'}"
            )
        for policy in sorted({table.policy.replace(table.column, "TENANT") for table in tables}):
            say(f"\nPolicy, for reading and writing\n  {policy}")
        for name, reason in database.EXEMPT.items():
            say(f"\nExempt: {name} ({reason})")
        say("\nWho may call what")
        say(f"  {'operation':26} {'scope':34} {'  '.join(f'{caller:16}' for caller in rules.CALLERS)}")
        for rule in matrix:
            wanted = " or ".join(rule.scopes) or "none"
            say(f"  {rule.operation:26} {wanted:34} {'  '.join(f'{rule.expected[c]:16}' for c in rules.CALLERS)}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
