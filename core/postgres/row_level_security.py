"""Row-level security for tenant tables: the one policy form, as a migration operation.

`docent.tenant` holds the tenant whose rows may be seen, `docent.scope` is 'all' where every tenant's may be. Both are
set for one transaction by whoever opens a scope. Neither set: no row is seen, none can be written.
"""

from typing import Any

from django.db.migrations.operations.special import RunSQL

POLICY = (
    "{column} = (select nullif(current_setting('docent.tenant', true), '')::bigint)"
    " or (select current_setting('docent.scope', true)) = 'all'"
)


class EnableTenantScope(RunSQL):
    """A migration operation: forced row-level security with the one policy form, on one tenant table."""

    def __init__(self, table: str, column: str = "tenant_id") -> None:
        self.table, self.column = table, column
        policy = POLICY.format(column=column)
        super().__init__(
            sql=[
                f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
                f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
                f'CREATE POLICY tenant_scope ON "{table}" USING ({policy}) WITH CHECK ({policy})',
            ],
            reverse_sql=[
                f'DROP POLICY tenant_scope ON "{table}"',
                f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
                f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
            ],
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As Django's operations do, so that squashing keeps it."""
        return self.__class__.__qualname__, [self.table, self.column], {}
