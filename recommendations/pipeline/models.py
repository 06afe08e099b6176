"""Builds and what they leave: artefacts, chunks of work, lists. State rows are the record of work."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core import clock
from recommendations.list_kinds import stored_choices


class Artefact(models.Model):
    """What one training left in the storage, and how it was chosen."""

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
        help_text="Of the blend on its validation fold; empty where none could judge.",
    )
    catalogue_at = models.DateTimeField(
        null=True, blank=True, help_text="Items that changed later may not be in it; the moment is the database's."
    )
    refused = models.BooleanField(default=False, help_text="The quality gate kept it from serving.")
    verdict = models.TextField(blank=True, default="", help_text="What the quality gate said about it.")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Tuning(models.Model):
    """Parameters that a tenant's trainings use in place of the defaults, as `manage.py tune --save` found them."""

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    parameters = models.JSONField(default=dict, help_text="By name; what is not named has its default.")
    verdict = models.TextField(
        help_text="How they did against the choice before, on a fold that they were not chosen on."
    )
    ndcg = models.FloatField("ndcg@10", help_text="Of these parameters on that fold.")
    ndcg_before = models.FloatField("ndcg@10 before", help_text="Of the choice before.")
    stored_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "tuning"

    def __str__(self) -> str:
        return f"tuning of {self.tenant_id}"


class Build(models.Model):
    """One run of the pipeline for a tenant. Killed anywhere, it resumes where its rows say.

    training -> scoring (the chunks) -> publishing (the pointer is swapped, Redis follows) -> published; or failed.
    """

    class Status(models.TextChoices):
        TRAINING = "training", "Training"
        SCORING = "scoring", "Scoring"
        PUBLISHING = "publishing", "Publishing"
        PUBLISHED = "published", "Published"
        FAILED = "failed", "Failed"

    RUNNING: ClassVar = (Status.TRAINING, Status.SCORING, Status.PUBLISHING)

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.TRAINING)
    reason = models.CharField(max_length=64, help_text="Why it was started.")
    error = models.TextField(blank=True, default="", help_text="The last thing that went wrong in it.")
    cutoff = models.DateTimeField(help_text="Events that arrived later may not be in the training.")
    artefact = models.ForeignKey(
        Artefact,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="What its lists are made with; set from the start where the build trains nothing.",
    )
    versions = models.JSONField(
        default=dict, editable=False, help_text="Placement to the version whose rules its lists follow; null is none."
    )
    gated = models.BooleanField(default=True, help_text="Whether the quality gate may refuse what it trains.")
    validation = models.CharField(
        max_length=8,
        blank=True,
        default="",
        db_default="",
        help_text="Which events it holds back to choose by, where it was asked for; empty is the tenant's setting.",
    )
    notes = models.TextField(blank=True, default="", help_text="What staff should know about it.")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="Until then a worker holds this step.")
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often this step was begun.")
    enqueued_at = models.DateTimeField(null=True, blank=True, help_text="When work was last handed to the queue.")
    people = models.PositiveIntegerField(default=0, help_text="End users whose lists it makes.")
    outcomes = models.JSONField(default=dict, help_text="Lists by source, and AI fallbacks and skips by reason.")
    ai_calls = models.PositiveIntegerField(default=0)
    ai_calls_limit = models.PositiveIntegerField(default=0)
    ai_simulated = models.BooleanField(default=False)
    asks_later = models.BooleanField(
        default=False, db_default=False, help_text="Asks AI through the vendor's batch interface; a build follows."
    )
    started_at = models.DateTimeField(default=clock.now)
    trained_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True, help_text="When its lists became the active ones.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(status__in=["training", "scoring", "publishing"]),
                name="one_running_build_per_tenant",
            )
        ]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.status}"


class Chunk(models.Model):
    """A part of a build's work, done by one worker at a time and to effect once.

    `people`: the end users whose primary keys lie in first..last. `similar`: the neighbours of the artefact's items
    first..last. `popular`: the one list for everybody. `semantic`: the neighbours of items that nobody chose
    yet.
    """

    class Kind(models.TextChoices):
        PEOPLE = "people", "People's lists"
        SIMILAR = "similar", "Similar items"
        POPULAR = "popular", "Popular items"
        SEMANTIC = "semantic", "Similar items by their texts"

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PEOPLE)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    lists = models.PositiveIntegerField(default=0)
    outcomes = models.JSONField(default=dict, help_text="Lists by source, and AI fallbacks and skips by reason.")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "number"], name="chunk_number_per_build")]
        indexes: ClassVar = [
            models.Index(fields=["build", "number"], name="chunk_pending", condition=models.Q(status="pending"))
        ]
        ordering: ClassVar = ["build", "number"]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.number}"


class FreshItem(models.Model):
    """An item that came or changed after the artefact of a build was trained, as far as it has been taken in.

    `place` is its index among the artefact's items and the fresh ones; empty where nothing is known of it that the
    artefact does not know. `terms` and `near` are its text as a vector and what is like it
    (recommendations.pipeline.artefacts.live). Processes read the rows whose `revision` they have not seen.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+", db_index=False)
    item_id = models.CharField(max_length=128, db_collation="C")
    revision = models.BigIntegerField(help_text="Rises with every change of any of the build's rows.")
    place = models.PositiveIntegerField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="The change of the item that was looked at last.")
    shown = models.BooleanField(help_text="Whether it could be shown then.")
    waiting = models.BooleanField(help_text="The lists that it belongs in do not have it yet.")
    terms = models.BinaryField(default=bytes)
    near = models.BinaryField(default=bytes)
    left = models.BinaryField(default=bytes, help_text="Whose lists it may have to leave, since its text changed.")
    people = models.PositiveIntegerField(default=0, help_text="For how many people lists were made anew.")
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


class UserList(models.Model):
    """One person's list at one placement in one build; `body` is the stored form (docs/adr/0005)."""

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
        max_length=16, blank=True, default="", db_default="", help_text="Of the comparison of AI; empty: not in it."
    )
    body = models.BinaryField()
    generated_at = models.DateTimeField()
    person_version = models.BigIntegerField(
        null=True, blank=True, editable=False, help_text="Of the person's row (xmin) when the history was read."
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
    """Who is like one person, most alike first: primary keys, and cosines in ten-thousandths. One row a person, written
    by each training; a key of somebody who was erased or merged since is nobody's, and is left out when it is read.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    end_user = models.OneToOneField("recommendations.EndUser", on_delete=models.CASCADE, related_name="+")
    people = ArrayField(models.BigIntegerField())
    scores = ArrayField(models.SmallIntegerField())
    generated_at = models.DateTimeField()

    class Meta:
        verbose_name = "related people"
        verbose_name_plural = "related people"

    def __str__(self) -> str:
        return f"{self.end_user_id}"
