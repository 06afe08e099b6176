"""The fixed cast of the tests: acme owns, globex is the stranger and must see nothing of acme."""

from dataclasses import dataclass
from types import SimpleNamespace

from rest_framework.test import APIClient

from accounts import clients, directory, scope, tokens
from accounts.models import ApiClient, Plan, Tenant
from accounts.models.tenant import UNLIMITED
from accounts.permissions import SCOPES
from core import clock

READ_ONLY = [name for name in SCOPES if name.endswith(":read")]


@dataclass(frozen=True)
class Caller:
    """An API client with its secret, a token and an HTTP client that carries it."""

    client: ApiClient
    secret: str
    token: str
    http: APIClient


@dataclass(frozen=True)
class Member:
    """A tenant of the cast."""

    tenant: Tenant
    admin: Caller
    reader: Caller

    @property
    def http(self) -> APIClient:
        """Calls as the client with every scope."""
        return self.admin.http


def make_cast() -> SimpleNamespace:
    """Creates acme and globex."""
    with scope.all_tenants("test cast"):
        plan = Plan.objects.create(name="Test", **UNLIMITED)
        cast = SimpleNamespace(acme=_member("acme", plan), globex=_member("globex", plan), anonymous=APIClient())
    directory.load()
    return cast


def _member(slug: str, plan: Plan) -> Member:
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), plan=plan)
    return Member(tenant, _caller(tenant, "all", list(SCOPES)), _caller(tenant, "reader", READ_ONLY))


def _caller(tenant: Tenant, name: str, scopes: list[str]) -> Caller:
    issued = clients.issue(tenant=tenant, name=name, scopes=scopes)
    token = tokens.issue(client=issued.client, scopes=scopes, now=clock.now())
    http = APIClient()
    http.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return Caller(issued.client, issued.secret, token, http)
