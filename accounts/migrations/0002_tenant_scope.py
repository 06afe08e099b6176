"""Row-level security on the tables of accounts, from the start."""

from django.db import migrations

from core.postgres.row_level_security import EnableTenantScope


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        EnableTenantScope("accounts_tenant", column="id"),
        EnableTenantScope("accounts_apiclient"),
        EnableTenantScope("accounts_featureflag"),
    ]
