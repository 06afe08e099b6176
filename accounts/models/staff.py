"""Staff of the deployment. End users of a tenant are `recommendations.EndUser`, never this."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A staff account of the admin. With a tenant set, it sees that tenant only."""

    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="staff",
        help_text="Confines this account to one tenant. Empty: all tenants.",
    )

    class Meta(AbstractUser.Meta):
        pass
