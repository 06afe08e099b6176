"""AI's pages in the admin: who sees them, what they show, and the breaker's switch."""

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from accounts.models import Plan, Tenant, User
from accounts.tenancy import scope
from core import clock
from recommendations.ai.budget.reservations import Budget
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.gateway.instrumentation import instrumented_breaker
from recommendations.ai.models import AICall
from recommendations.ai.money import Amount, BudgetLimits
from recommendations.ai.resilience.circuit_state import CallOutcome
from recommendations.ai.uplift import fallback_stats
from tests.accounts.admin.people import entries
from tests.recommendations.lists import publish

URL = "/admin/recommendations/aiglobalbudget/breaker/"
OPEN = {"action": "open", "_reason": "the vendor is down"}
CONFIG = AIConfiguration(api_key="k", model="gpt-4.1-mini")
PAGES = [
    "aicall",
    "aibudget",
    "aiglobalbudget",
    "ailimit",
    "aifallbackstat",
    "airelease",
    "aisent",
    "aigate",
    "aibatch",
]


@pytest.fixture(autouse=True)
def _configured():
    with override_settings(OPENAI_API_KEY="k", OPENAI_MODEL="gpt-4.1-mini", OPENAI_BASE_URL="", AI_SIMULATED=False):
        yield


@pytest.fixture
def acme(db, redis_server):
    return _tenant("acme")


@pytest.fixture
def globex(acme):
    return _tenant("globex")


def _tenant(slug: str) -> Tenant:
    with scope.all_tenants("test"):
        plan = Plan.objects.create(name=f"Plan of {slug}")
        return Tenant.objects.create(slug=slug, name=slug.title(), plan=plan)


def _login(tenant=None, *, superuser=True) -> Client:
    user = User.objects.create(username="staff", is_staff=True, is_superuser=superuser, tenant=tenant)
    client = Client()
    client.force_login(user)
    return client


def _spend(tenant_id: int) -> None:
    now = clock.now()
    budget = Budget(limits=BudgetLimits())
    held = budget.reserve(tenant_id=tenant_id, amount=Amount(nano_usd=9), now=now, deadline_seconds=1)
    call = AICall(
        tenant_id=tenant_id,
        day=now.date(),
        at=now,
        purpose="rerank",
        model="gpt-4.1-mini",
        outcome="ok",
        cost_nano_usd=1_234_500_000,
        latency_ms=5,
        simulated=False,
    )
    budget.settle(held, spent=Amount(nano_usd=1_234_500_000), call=call)


class TestPages:
    @pytest.mark.parametrize("page", PAGES)
    def test_opens(self, acme, page):
        _spend(acme.pk)

        answer = _login().get(reverse(f"admin:recommendations_{page}_changelist"))

        assert answer.status_code == 200
        assert ("$1.2345" in answer.content.decode()) is (page in {"aicall", "aibudget", "aiglobalbudget"})

    def test_shows_staff_of_a_tenant_their_own_spend_only(self, acme, globex):
        _spend(acme.pk)
        client = _login(globex)

        assert "$1.2345" not in client.get(reverse("admin:recommendations_aicall_changelist")).content.decode()
        assert client.get(reverse("admin:recommendations_aiglobalbudget_changelist")).status_code == 403

    def test_nobody_edits_the_books(self, acme):
        _spend(acme.pk)
        client = _login()
        with scope.all_tenants("test"):
            call = AICall.objects.get()

        page = reverse("admin:recommendations_aicall_change", args=[call.pk])

        assert client.post(page, {"cost_nano_usd": 0}).status_code == 403
        assert client.get(reverse("admin:recommendations_aicall_add")).status_code == 403


class TestBreakerPage:
    def test_shows_state_and_last_error(self, acme):
        breaker = instrumented_breaker(CONFIG)
        breaker.record(
            breaker.acquire(deadline_seconds=1), CallOutcome(failed=True, refused=True, error="HTTP 401 no key")
        )

        page = _login().get(URL).content.decode()

        assert "open: no calls" in page
        assert "HTTP 401 no key" in page
        assert "gpt-4.1-mini at api.openai.com" in page

    def test_opens_and_resets(self, acme):
        client = _login()

        assert "no calls until it is reset" in client.post(URL, OPEN, follow=True).content.decode()
        assert (instrumented_breaker(CONFIG).state().mode, instrumented_breaker(CONFIG).state().error) == (
            "open",
            "opened by staff",
        )
        client.post(URL, {"action": "reset", "_reason": "it answers again"})
        assert instrumented_breaker(CONFIG).state().mode == "closed"
        opened, reset = entries(target_type="recommendations.aiglobalbudget")
        assert (opened.action, opened.reason) == ("breaker_open", "the vendor is down")
        assert opened.changes == {"state": {"from": "closed", "to": "open"}}
        assert (reset.action, reset.reason) == ("breaker_reset", "it answers again")
        assert reset.changes == {"state": {"from": "open", "to": "closed"}}

    def test_asks_why(self, acme):
        page = _login().post(URL, {"action": "open"}, follow=True).content.decode()

        assert "Give a reason" in page
        assert instrumented_breaker(CONFIG).state().mode == "closed"
        assert entries(target_type="recommendations.aiglobalbudget") == []

    @pytest.mark.parametrize(
        "whence",
        [
            "index",
            "recommendations_aicall_changelist",
            "recommendations_ai_overview",
            "recommendations_aiglobalbudget_changelist",
        ],
    )
    def test_is_found(self, acme, whence):
        assert f'href="{URL}"' in _login().get(reverse(f"admin:{whence}")).content.decode()

    def test_is_not_offered_to_staff_of_one_tenant(self, acme):
        assert URL not in _login(acme).get(reverse("admin:index")).content.decode()

    def test_is_closed_to_staff_of_one_tenant(self, acme):
        client = _login(acme)

        assert client.get(URL).status_code == client.post(URL, OPEN).status_code == 403
        assert instrumented_breaker(CONFIG).state().mode == "closed"

    def test_needs_the_right_to_change(self, acme):
        assert _login(superuser=False).post(URL, OPEN).status_code == 403

    def test_says_that_ai_is_off(self, acme):
        with override_settings(OPENAI_API_KEY=""):
            assert "AI is off" in _login().get(URL).content.decode()


class TestOverview:
    URL = "/admin/recommendations/aicall/overview/"

    def test_shows_spend_budgets_fallbacks_and_prompt_versions(self, acme):
        _spend(acme.pk)
        fallback_stats.record_lists(
            tenant_id=acme.pk, now=clock.now(), meant=40, fallbacks={"timeout": 10}, skipped={"control": 7}
        )

        page = _login().get(self.URL).content.decode()

        assert "40 lists eligible for AI, 25.0% without it" in page
        assert "$1.2345" in page
        assert "tenant_day" in page
        assert "global_month" in page
        assert "<td>timeout</td><td>10</td>" in page
        assert "<td>control</td><td>7</td>" in page

    def test_says_why_nothing_can_be_told_of_what_a_build_would_cost(self, cast):
        tenant = cast.acme.tenant
        items = [f"i{number:02}" for number in range(25)]
        publish(tenant, people=dict.fromkeys(("ann", "bob"), items), items=items)

        page = _login().get(self.URL, {"tenant": "acme"}).content.decode()

        assert "There is no list yet that AI would rerank. Run `manage.py build --tenant acme --no-ai`." in page

    def test_shows_staff_of_a_tenant_their_own_only(self, acme, globex):
        _spend(acme.pk)

        page = _login(globex).get(self.URL, {"tenant": "acme"}).content.decode()

        assert "$1.2345" not in page
        assert "global_month" not in page
        assert "<h2>globex</h2>" in page

    def test_is_closed_without_the_right(self, acme):
        assert _login(superuser=False).get(self.URL).status_code == 403

    def test_is_linked_from_the_ledger(self, acme):
        assert self.URL in _login().get("/admin/recommendations/aicall/").content.decode()

    def test_shows_and_switches_the_workers_breaker_without_a_key_of_its_own(self, acme):
        with override_settings(OPENAI_API_KEY="", AI_KEY_IN_WORKERS=True):
            client = _login()

            assert "AI is off" not in client.get(URL).content.decode()
            assert client.post(URL, OPEN).status_code == 302
        assert instrumented_breaker(CONFIG).state().mode == "open"
