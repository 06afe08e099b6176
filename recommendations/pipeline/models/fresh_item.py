"""Items that are newer than the artefact of a build."""

from typing import ClassVar

from django.db import models

from recommendations.pipeline.models.build import Build


class FreshItem(models.Model):
    """An ingested item that is new or changed since the artefact of a build was trained.

    `place` is its index among the artefact's items and the fresh ones; empty if the artefact knows all about it.
    `terms` and `near` are its text as a vector and its neighbours, `left` the indices of former neighbours
    (recommendations.pipeline.artefacts.live). Processes read the rows whose `revision` they have not seen.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+", db_index=False)
    item_id = models.CharField(max_length=128, db_collation="C")
    revision = models.BigIntegerField(help_text="Increases with every change of the build's rows.")
    place = models.PositiveIntegerField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="Time of the last processed change of the item.")
    shown = models.BooleanField(help_text="Available at that time.")
    waiting = models.BooleanField(help_text="Not in its lists yet.")
    terms = models.BinaryField(default=bytes)
    near = models.BinaryField(default=bytes)
    left = models.BinaryField(
        default=bytes, help_text="Users and items whose lists it may have to leave after a change of its text."
    )
    people = models.PositiveIntegerField(default=0, help_text="Number of users whose lists were rescored.")
    listed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "item_id"], name="one_fresh_item_per_build"),
            models.UniqueConstraint(fields=["build", "revision"], name="fresh_item_revision"),
            models.UniqueConstraint(fields=["build", "place"], name="fresh_item_place"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["build", "revision"], name="fresh_item_waiting", condition=models.Q(waiting=True))
        ]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.item_id}"
