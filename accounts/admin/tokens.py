"""Issued and revoked tokens and prevented replays, read only; refresh families can be ended."""

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.actions import staff_action
from accounts.admin.base import ReadOnlyTenantAdmin
from accounts.models import RefreshFamily, RefreshToken, ReplayAttempt, RevokedToken
from accounts.tokens import refresh
from core import clock


@admin.register(RefreshFamily)
class RefreshFamilyAdmin(ReadOnlyTenantAdmin):
    """Grants with refresh tokens; each ends as a whole."""

    list_display = ["id", "tenant", "client", "started_at", "expires_at", "ended_at", "ended_why"]
    list_filter = ["ended_why"]
    search_fields = ["client__client_id", "tenant__slug"]
    actions = ["end"]

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Allows staff who may change API clients to end their grants."""
        return request.user.has_perm("accounts.change_apiclient")

    @staff_action(
        permissions=["end"],
        description="End (its tokens are rejected within 5 s)",
        consequence="The program must ask for a new grant; its refresh token and its access tokens are refused.",
    )
    def end(self, request: HttpRequest, family: RefreshFamily) -> str:
        """Ends the family; an ended one stays unchanged."""
        if family.ended_at is None:
            refresh.end(family, why=RefreshFamily.Why.STAFF, now=clock.now())
        return f"Family {family.pk} is ended."


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyTenantAdmin):
    """Single refresh tokens; only their hashes are stored."""

    list_display = ["__str__", "tenant", "family", "issued_at", "used_at", "access_expires_at"]
    search_fields = ["=family__id", "tenant__slug"]


@admin.register(RevokedToken)
class RevokedTokenAdmin(ReadOnlyTenantAdmin):
    """Access tokens revoked before their expiry."""

    list_display = ["token_id", "tenant", "revoked_at", "expires_at"]
    search_fields = ["token_id", "tenant__slug"]


@admin.register(ReplayAttempt)
class ReplayAttemptAdmin(ReadOnlyTenantAdmin):
    """Replays that were prevented."""

    list_display = ["at", "tenant", "kind", "client_id", "address", "subject"]
    list_filter = ["kind"]
    search_fields = ["client_id", "address", "subject", "tenant__slug"]
