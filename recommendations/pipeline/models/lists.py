"""Stored lists: per user, per item, window or segment, and similar users."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from recommendations.list_kinds import stored_choices
from recommendations.pipeline.models.build import Build


class UserList(models.Model):
    """A user's list at one placement in one build; `body` is the stored form (docs/adr/0005)."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+", db_index=False)
    placement = models.ForeignKey(
        "recommendations.Placement", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    end_user = models.ForeignKey("recommendations.EndUser", on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField(default=1)
    source = models.CharField(max_length=8)
    arm = models.CharField(
        max_length=16, blank=True, default="", db_default="", help_text="Arm of the AI comparison; empty: not compared."
    )
    body = models.BinaryField()
    generated_at = models.DateTimeField()
    person_version = models.BigIntegerField(
        null=True, blank=True, editable=False, help_text="Version (xmin) of the user's row when the history was read."
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "placement", "end_user"], name="one_list_per_person_and_build")
        ]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.end_user_id}"


class ReferenceList(models.Model):
    """A list that belongs to no user, in one build. `kind` is one of `recommendations.list_kinds`; `subject` is the
    item, the segment or the window that it is for, or empty.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=stored_choices)
    subject = models.CharField(max_length=128, blank=True, default="", db_collation="C")
    body = models.BinaryField()
    generated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "kind", "subject"], name="one_reference_list_per_subject")
        ]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.kind}/{self.subject}"


class RelatedPeople(models.Model):
    """Similar users of one user, most similar first: primary keys, and cosines in ten-thousandths. Each training writes
    one row per user; keys of users that were erased or merged since are left out when it is read.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    end_user = models.OneToOneField("recommendations.EndUser", on_delete=models.CASCADE, related_name="+")
    people = ArrayField(models.BigIntegerField())
    scores = ArrayField(models.SmallIntegerField())
    generated_at = models.DateTimeField()

    class Meta:
        verbose_name = "similar users"
        verbose_name_plural = "similar users"

    def __str__(self) -> str:
        return f"{self.end_user_id}"
