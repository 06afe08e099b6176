"""The ring of signing keys: the stage of each key, and the two ways to replace keys."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.actions import staff_action
from accounts.admin.base import DeploymentAdmin
from accounts.keys import signing_keys
from accounts.models import SigningKey
from accounts.tenancy import tenant_cache
from core import clock


@admin.register(SigningKey)
class SigningKeyAdmin(DeploymentAdmin):
    """Signing keys, created and retired by the service; staff may start a rotation."""

    list_display = ["kid", "algorithm", "stage", "age", "created_at", "signs_from", "accepted_until"]
    readonly_fields = ["kid", "algorithm", "stage", "age", "created_at", "signs_from", "accepted_until", "public_pem"]
    actions = ["rotate", "replace_compromised"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: a rotation makes them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a retired key goes by itself."""
        return False

    @admin.display(description="Stage")
    def stage(self, key: SigningKey) -> str:
        """Next, current, retiring or retired."""
        ring = tenant_cache.current().ring
        own = ring.keys.get(key.kid)
        return ring.stage(own, moment=clock.now().timestamp()) if own else "next"

    @admin.display(description="Age")
    def age(self, key: SigningKey) -> str:
        """Since its creation."""
        return f"{(clock.now() - key.created_at).days} days"

    @staff_action(
        description="Rotate: publish a new key, which signs after the wait",
        consequence="A new signing key is published and signs after JWT_PUBLISH_SECONDS. Tokens stay valid.",
        secret=True,
        whole=True,
    )
    def rotate(self, request: HttpRequest, row: None) -> str:
        """Rotates the ring, whichever keys are selected."""
        fresh = signing_keys.rotate(now=clock.now())
        tenant_cache.load()
        return f"Key {fresh.kid} is published and signs from {fresh.signs_from:%Y-%m-%d %H:%M:%S} UTC."

    @staff_action(
        description="Emergency: replace all signing keys and invalidate every token",
        consequence="In 10 seconds every token of every tenant is refused; each program must get a new one. For keys "
        "that are in wrong hands.",
        secret=True,
        whole=True,
    )
    def replace_compromised(self, request: HttpRequest, row: None) -> str:
        """Replaces the whole ring, whichever keys are selected."""
        fresh = signing_keys.replace_compromised(now=clock.now())
        tenant_cache.load()
        return f"Key {fresh.kid} signs in 10 seconds; all earlier tokens end then."
