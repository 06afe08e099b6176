"""Tokens on record: refresh tokens by family, revoked access tokens, and attempted replays."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class RefreshFamily(models.Model):
    """The refresh tokens that follow from one grant, each from the one before. It ends as a whole."""

    class Why(models.TextChoices):
        REPLAYED = "replayed", "A used token was reused"
        REVOKED = "revoked", "Revoked by its client"
        CLIENT = "client", "The client was deactivated"
        STAFF = "staff", "Revoked by staff"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="refresh_families")
    client = models.ForeignKey("accounts.ApiClient", on_delete=models.CASCADE, related_name="refresh_families")
    scopes = ArrayField(models.CharField(max_length=40))
    key_thumbprint = models.CharField(max_length=43, blank=True, help_text="Of its key (DPoP).")
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.CharField(max_length=8, choices=Why.choices, blank=True)

    class Meta:
        ordering: ClassVar = ["-started_at"]
        verbose_name_plural = "refresh families"

    def __str__(self) -> str:
        return str(self.id)


class RefreshToken(models.Model):
    """One refresh token: its hash, whether it was used, and the access token that came with it."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="refresh_tokens")
    family = models.ForeignKey(RefreshFamily, on_delete=models.CASCADE, related_name="tokens")
    parent = models.OneToOneField("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="successor")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    issued_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    access_token_id = models.CharField(max_length=64)
    access_expires_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-issued_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.token_hash[:12]}…"


class RevokedToken(models.Model):
    """An access token that is refused before its time, by its `jti`."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="revoked_tokens")
    token_id = models.CharField(max_length=64)
    revoked_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar = ["-revoked_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "token_id"], name="one_revocation_per_tenant_and_token")
        ]

    def __str__(self) -> str:
        return self.token_id


class ReplayAttempt(models.Model):
    """Something that works once was shown again, and refused."""

    class Kind(models.TextChoices):
        REFRESH = "refresh", "Refresh token"
        DPOP = "dpop", "DPoP proof"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="replay_attempts")
    client_id = models.CharField("client id", max_length=40, db_index=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    at = models.DateTimeField(db_index=True)
    address = models.CharField(max_length=45, help_text="Address of the caller.")
    subject = models.CharField(max_length=64, help_text="The family, or the hash of the proof's id.")

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S}"
