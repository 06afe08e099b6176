"""The keys of idempotent writes, under row-level security from the start."""

import core.idempotency.models
import django.db.models.lookups
from django.db import migrations, models

from core.postgres.row_level_security import EnableTenantScope


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.BigIntegerField()),
                ("client_id", models.CharField(db_collation="C", max_length=64)),
                ("key", models.CharField(db_collation="C", max_length=255)),
                ("fingerprint", models.BinaryField(max_length=32)),
                (
                    "state",
                    models.CharField(
                        choices=[("in_flight", "In Flight"), ("done", "Done"), ("erased", "Erased")], max_length=9
                    ),
                ),
                ("token", models.UUIDField()),
                ("locked_until", models.DateTimeField()),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("headers", models.JSONField(default=dict)),
                ("body", models.BinaryField(null=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["expires_at"], name="idempotency_by_expiry")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant_id", "client_id", "key"), name="idempotency_key_per_client"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("body__isnull", False), ("state", "done"), ("status__isnull", False)),
                            models.Q(
                                ("body__isnull", True),
                                ("state__in", ["in_flight", "erased"]),
                                ("status__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="idempotency_answer_iff_done",
                    ),
                    models.CheckConstraint(
                        condition=django.db.models.lookups.LessThanOrEqual(
                            core.idempotency.models.OctetLength("body"), 65536
                        ),
                        name="idempotency_body_at_most_64_kib",
                    ),
                ],
            },
        ),
        EnableTenantScope("core_idempotencykey"),
    ]
