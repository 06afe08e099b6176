"""Stored embeddings of item texts."""

from typing import ClassVar

from django.db import models


class AIVector(models.Model):
    """The unit vector of one text, as little-endian float16, keyed by a digest of its source."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=64, help_text="Digest of the text, the model and the number of dimensions.")
    model = models.CharField(max_length=100)
    vector = models.BinaryField()
    used_on = models.DateField(db_index=True, help_text="Last day on which a build needed it.")

    class Meta:
        verbose_name = "AI vector"
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "digest"], name="one_ai_vector_per_digest")]

    def __str__(self) -> str:
        return self.digest[:12]
