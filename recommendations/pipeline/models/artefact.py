"""Trained artefacts, and the parameters that trainings use."""

from typing import ClassVar

from django.db import models

from core import clock


class Artefact(models.Model):
    """A trained artefact in the storage, and how its parameters were chosen."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    file = models.CharField(max_length=200)
    items = models.PositiveIntegerField()
    people = models.PositiveIntegerField()
    interactions = models.PositiveBigIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    chosen = models.JSONField(default=dict, help_text="Hyper-parameters and weights, chosen on the validation fold.")
    train_seconds = models.FloatField()
    ndcg = models.FloatField(
        "ndcg@10",
        null=True,
        blank=True,
        help_text="The blend's, on its validation fold; empty without validation users.",
    )
    catalogue_at = models.DateTimeField(
        null=True, blank=True, help_text="Items changed later may be missing; in the database's time."
    )
    refused = models.BooleanField(default=False, help_text="Rejected by the quality gate.")
    verdict = models.TextField(blank=True, default="", help_text="Result of the quality gate.")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Tuning(models.Model):
    """A tenant's tuned training parameters (`manage.py tune --save`)."""

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    parameters = models.JSONField(default=dict, help_text="By name; others have their defaults.")
    verdict = models.TextField(
        help_text="Comparison with the previous parameters, on a fold that the search did not use."
    )
    ndcg = models.FloatField("ndcg@10", help_text="With these parameters, on that fold.")
    ndcg_before = models.FloatField("ndcg@10 before", help_text="With the previous parameters.")
    stored_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "tuning"

    def __str__(self) -> str:
        return f"tuning of {self.tenant_id}"
