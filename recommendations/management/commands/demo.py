"""`manage.py demo`: fills a running service with real data, builds every list, and shows one person's."""

import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import F

from accounts.models import ApiClient, Plan, Tenant, User
from accounts.models.tenant import UNLIMITED
from accounts.tenancy import scope
from accounts.tokens import clients
from accounts.tokens.scopes import SCOPES
from core import clock
from recommendations.models import Build, Interaction, Item, Placement, UserList

SLUG, STAFF, CLIENT = "demo", "admin", "Demo"
DATA = Path("tests") / "data" / "movielens"
PERSON = "42"
"""The example user where AI reordered no list."""


class Command(BaseCommand):
    """Safe to run again: what is there already is not made twice."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the service's address."""
        parser.add_argument("--base-url", default="http://127.0.0.1:8000")

    def handle(self, *args: Any, base_url: str, **options: Any) -> None:
        """Tenant, data, lists, credentials, and what to try."""
        tenant = _tenant()
        self._import(tenant)
        self._build(tenant)
        access = _credentials(tenant, base_url)
        _write_private(settings.VAR_DIR / "demo.json", access)
        self._show(tenant, access)

    def _import(self, tenant: Tenant) -> None:
        with scope.tenant(tenant.pk):
            complete = Placement.objects.filter(tenant=tenant, active_build__isnull=False).exists()
        if complete:
            return
        folder = settings.BASE_DIR / DATA
        if not folder.is_dir():
            raise CommandError(f"The demo's data is missing: {DATA} is part of a checkout, not of the image.")
        self._say("Importing MovieLens latest-small (facts by GroupLens; see tests/data/movielens/NOTICE.md)")
        call_command(
            "import_data",
            tenant=tenant.slug,
            items=folder / "items.csv.gz",
            events=folder / "events.csv.gz",
            no_build=True,
            stdout=self.stdout,
            stderr=self.stderr,
        )

    def _build(self, tenant: Tenant) -> None:
        with scope.tenant(tenant.pk):
            if Placement.objects.filter(tenant=tenant, active_build__isnull=False).exists():
                return
        self._say("Building every user's list (Celery workers)")
        call_command("build", tenant=tenant.slug, wait=True, stdout=self.stdout, stderr=self.stderr)

    def _show(self, tenant: Tenant, access: dict[str, str]) -> None:
        base = access["base_url"]
        token = _post_form(f"{base}/api/v1/auth/token", access)["access_token"]
        person = _person(tenant)
        answer = _get(f"{base}/api/v1/users/{person}/recommendations?limit=10&include=item", token)
        with scope.tenant(tenant.pk):
            watched = list(
                Interaction.objects.filter(tenant=tenant, end_user__user_id=person)
                .order_by("-occurred_at", "-id")
                .values_list("item__title", "value")[:8]
            )
            build = Build.objects.filter(tenant=tenant, status=Build.Status.PUBLISHED).order_by("-id").first()
            items = Item.objects.filter(tenant=tenant).count()
        self._say(f"\nUser {person} of {tenant.slug} ({items} films). Watched last:")
        for title, value in watched:
            self._say(f"  {value:>4}  {title}" if value is not None else f"        {title}")
        simulated = " (simulated: answered by the bundled simulator, not by an AI model)" if answer["simulated"] else ""
        self._say(f"\nTheir list, source {answer['source']}{simulated}, built {answer['generated_at']}:")
        for item in answer["items"]:
            title = item["item"]["title"] if item["item"] else item["item_id"]
            self._say(f"  {item['rank']:>2}. {item['score']:>7.3f}  {title:<46.46}  {item['reason']}")
        if build and build.error:
            self._say(f"  (build {build.pk}: {build.error})")
        self._hints(access, person, answer["items"][0]["item_id"] if answer["items"] else "1")

    def _hints(self, access: dict[str, str], person: str, item_id: str) -> None:
        base = access["base_url"]
        self._say(
            f"""
Try it:
  TOKEN=$(curl -s {base}/api/v1/auth/token -d grant_type=client_credentials \\
    -d client_id={access["client_id"]} -d client_secret={access["client_secret"]} \\
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
  curl -s -H "Authorization: Bearer $TOKEN" '{base}/api/v1/users/{person}/recommendations?limit=5'
  curl -s -H "Authorization: Bearer $TOKEN" '{base}/api/v1/items/{item_id}/similar?limit=5'

  API documentation  {base}/api/docs/  and  {base}/api/redoc/
  Admin              {base}/admin/  as {access["admin_user"]} with {access["admin_password"]}
  Credentials        {settings.VAR_DIR / "demo.json"}
"""
        )

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
        sys.stdout.flush()


def _tenant() -> Tenant:
    with scope.all_tenants("demo: its tenant"):
        plan, _ = Plan.objects.get_or_create(name="Demo", defaults=UNLIMITED)
        tenant, _ = Tenant.objects.get_or_create(slug=SLUG, defaults={"name": "Demo", "plan": plan})
    with scope.tenant(tenant.pk):
        Placement.objects.get_or_create(tenant=tenant, name="home")
    return tenant


def _person(tenant: Tenant) -> str:
    """Somebody whose list AI reordered: what the demo is for. The gate leaves out people with much history."""
    with scope.tenant(tenant.pk):
        found = (
            UserList.objects.filter(
                tenant=tenant, build=F("placement__active_build"), placement__name="home", source="ai"
            )
            .order_by("end_user_id")
            .values_list("end_user__user_id", flat=True)
            .first()
        )
    return found or PERSON


def _credentials(tenant: Tenant, base_url: str) -> dict[str, str]:
    """Credentials of the last start if they still work, otherwise a new secret and a new password."""
    known = _read_private(settings.VAR_DIR / "demo.json")
    with scope.tenant(tenant.pk):
        client = ApiClient.objects.filter(tenant=tenant, name=CLIENT).first()
        if client is None:
            issued = clients.issue(tenant=tenant, name=CLIENT, scopes=list(SCOPES))
            client, secret = issued.client, issued.secret
        elif known.get("client_id") == client.client_id and clients.matches(client, known.get("client_secret", "")):
            secret = known["client_secret"]
        else:
            secret = clients.renew_secret(client=client, now=clock.now()).secret
    password = known.get("admin_password", "")
    staff, _ = User.objects.get_or_create(username=STAFF, defaults={"is_staff": True, "is_superuser": True})
    if not password or not staff.check_password(password):
        password = secrets.token_urlsafe(12)
        staff.set_password(password)
        staff.save(update_fields=["password"])
    return {
        "base_url": base_url,
        "client_id": client.client_id,
        "client_secret": secret,
        "admin_user": STAFF,
        "admin_password": password,
        "tenant": tenant.slug,
    }


def _read_private(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


def _write_private(path: Path, content: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _post_form(url: str, access: dict[str, str]) -> dict[str, Any]:
    body = (
        f"grant_type=client_credentials&client_id={access['client_id']}&client_secret={access['client_secret']}"
    ).encode()
    return _open(urllib.request.Request(url, data=body, method="POST"))  # noqa: S310  # our own base URL


def _get(url: str, token: str) -> dict[str, Any]:
    return _open(urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"}))  # noqa: S310


def _open(request: urllib.request.Request, *, patience_seconds: float = 30.0) -> dict[str, Any]:
    """The JSON answer; waits while the web server is still starting."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise CommandError(f"{request.full_url} answered {error.code}: {error.read().decode()[:500]}") from error
        except OSError as error:
            if time.monotonic() > deadline:
                raise CommandError(f"{request.full_url} cannot be reached: {error}") from error
            time.sleep(0.2)
