"""The ring of keys that sign access tokens. It belongs to the deployment, not to a tenant."""

from typing import ClassVar

from django.db import models


class SigningKey(models.Model):
    """One key. Its two times define its stage: next, current, retiring or retired (accounts.keys)."""

    class Algorithm(models.TextChoices):
        RS256 = "RS256"
        ES256 = "ES256"

    kid = models.CharField("key id", max_length=43, unique=True, help_text="The public key's thumbprint (RFC 7638).")
    algorithm = models.CharField(max_length=5, choices=Algorithm.choices)
    public_pem = models.TextField("public key")
    private_sealed = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField()
    signs_from = models.DateTimeField(help_text="Published from its creation; signs from this time.")
    accepted_until = models.DateTimeField(
        null=True, blank=True, help_text="Set when another key takes over; its tokens are rejected afterwards."
    )

    class Meta:
        ordering: ClassVar = ["-signs_from"]

    def __str__(self) -> str:
        return self.kid
