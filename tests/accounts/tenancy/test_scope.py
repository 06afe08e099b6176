"""The two walls around a tenant's rows (architecture.md section 4)."""

import pytest
from django.apps import apps
from django.db import connection, connections, transaction
from django.db.utils import ProgrammingError

from accounts.models import ApiClient, Tenant
from accounts.tenancy import scope
from recommendations.models import EndUser, Item

TENANT_TABLES = [
    model._meta.db_table
    for app in ("accounts", "recommendations")
    for model in apps.get_app_config(app).get_models()
    if model.__name__ != "User" and (model is Tenant or any(f.name == "tenant" for f in model._meta.get_fields()))
]


class TestRowLevelSecurity:
    @pytest.mark.parametrize("table", TENANT_TABLES)
    def test_is_enabled_and_forced_on_every_tenant_table(self, db, table):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.relrowsecurity, c.relforcerowsecurity, count(p.polname) FROM pg_class c"
                " LEFT JOIN pg_policy p ON p.polrelid = c.oid WHERE c.relname = %s GROUP BY 1, 2",
                [table],
            )
            assert cursor.fetchone() == (True, True, 1)

    def test_the_app_role_is_neither_superuser_nor_exempt_nor_owner(self, db):
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            assert cursor.fetchone() == (False, False)
            cursor.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
            assert cursor.fetchone() == (0,)

    def test_raw_sql_without_a_scope_sees_no_row(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            Item.objects.create(tenant=cast.acme.tenant, item_id="a")
            EndUser.objects.create(tenant=cast.acme.tenant, user_id="u")

        for table in TENANT_TABLES:
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT count(*) FROM "{table}"')
                assert cursor.fetchone() == (0,), table

    def test_a_scope_sees_its_tenant_only(self, cast):
        for member in (cast.acme, cast.globex):
            with scope.tenant(member.tenant.pk):
                Item.objects.create(tenant=member.tenant, item_id=member.tenant.slug)

        with scope.tenant(cast.acme.tenant.pk):
            assert list(Item.objects.values_list("item_id", flat=True)) == ["acme"]

    def test_a_row_of_another_tenant_cannot_be_written(self, cast):
        with pytest.raises(ProgrammingError, match="row-level security"), scope.tenant(cast.acme.tenant.pk):
            Item.objects.create(tenant=cast.globex.tenant, item_id="x")


class TestNesting:
    def test_an_inner_scope_narrows_and_the_outer_one_comes_back(self, cast):
        with scope.all_tenants("test"):
            assert Tenant.objects.count() == 2
            with scope.tenant(cast.acme.tenant.pk):
                assert Tenant.objects.count() == 1
            assert Tenant.objects.count() == 2
        assert Tenant.objects.count() == 0

    def test_an_error_inside_does_not_leave_the_scope_open(self, cast):
        with scope.all_tenants("test"):
            with pytest.raises(ZeroDivisionError), scope.tenant(cast.acme.tenant.pk):
                raise ZeroDivisionError
            assert Tenant.objects.count() == 2
        assert ApiClient.objects.count() == 0

    def test_a_failed_statement_inside_does_not_leave_the_scope_open(self, cast):
        with scope.all_tenants("test"):
            with pytest.raises(ProgrammingError), scope.tenant(cast.acme.tenant.pk), connection.cursor() as cursor:
                cursor.execute("SELECT nonsense")
            assert Tenant.objects.count() == 2
        assert Tenant.objects.count() == 0

    def test_the_variables_end_with_the_transaction(self, cast, committed_db):
        with scope.tenant(cast.acme.tenant.pk):
            pass
        with transaction.atomic(), connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_setting('docent.tenant', true)")
            assert cursor.fetchone()[0] in (None, "")

    def test_without_savepoints_scopes_of_the_same_tenant_cost_no_statement(self, cast, django_assert_num_queries):
        acme, globex = cast.acme.tenant.pk, cast.globex.tenant.pk
        with scope.tenant_without_savepoints(acme):
            with django_assert_num_queries(1), scope.tenant(acme):
                assert [tenant.pk for tenant in Tenant.objects.all()] == [acme]
            with scope.tenant(globex):
                assert [tenant.pk for tenant in Tenant.objects.all()] == [globex]
            assert [tenant.pk for tenant in Tenant.objects.all()] == [acme]
        assert Tenant.objects.count() == 0

    def test_without_savepoints_an_error_undoes_everything(self, cast):
        acme = cast.acme.tenant.pk

        def write_and_fail():
            with scope.tenant(acme):
                Item.objects.create(tenant=cast.acme.tenant, item_id="a")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), scope.tenant_without_savepoints(acme):
            write_and_fail()
        with scope.tenant(acme):
            assert Item.objects.count() == 0
