"""Row-level security on every table of recommendations, from the start."""

from django.db import migrations

from accounts.tenancy.scope import EnableTenantScope

TABLES = [
    "artefact",
    "build",
    "chunk",
    "enduser",
    "eventtype",
    "import",
    "importrowerror",
    "interaction",
    "item",
    "placement",
    "referencelist",
    "userlist",
]


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0001_initial"), ("accounts", "0002_tenant_scope")]
    operations = [EnableTenantScope(f"recommendations_{table}") for table in TABLES]
