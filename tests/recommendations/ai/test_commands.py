"""Staff's commands about AI: the report reconciles, the preview comes near the bill."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts.tenancy import scope
from core import clock
from recommendations.ai.models import AIBudget
from recommendations.ai.uplift import fallback_stats
from tests.recommendations.ai.films import films


def _run(*arguments: str) -> str:
    out = StringIO()
    with override_settings(OPENAI_API_KEY="k", OPENAI_MODEL="gpt-4.1-mini", AI_CALLS_PER_BUILD=2):
        call_command(*arguments, stdout=out)
    return out.getvalue()


class TestReport:
    def test_tells_spend_budgets_and_fallbacks(self, make_gateway, tenant_id, redis_server):
        now = clock.now()
        gateway = make_gateway()
        for person in ("p-1", "p-2"):
            gateway.rerank(tenant_id=tenant_id, request=films(person), now=now, deadline_seconds=5)
        fallback_stats.record_lists(tenant_id=tenant_id, now=now, meant=20, fallbacks={"budget": 5}, skipped={"off": 3})

        said = _run("ai_report", "--tenant", "acme")

        assert "rerank gpt-4.1-mini rerank-1 (simulated): 2 calls, 2 answered" in said
        assert re.search(r"tenant_day from .*: \$0\.00\d\d and \d+ tokens of \$5\.0000", said)
        assert "24 hours: 20 lists eligible for AI, 25.0% without: budget 5, off 3" in said
        assert "breaker closed" in said
        assert "Budgets and ledger agree." in said

    def test_fails_where_the_books_disagree(self, make_gateway, tenant_id, redis_server):
        make_gateway().rerank(tenant_id=tenant_id, request=films(), now=clock.now(), deadline_seconds=5)
        with scope.tenant(tenant_id):
            AIBudget.objects.update(spent_nano_usd=1)

        with pytest.raises(CommandError, match="disagree"):
            _run("ai_report")

    def test_knows_no_stranger(self, tenant_id, redis_server):
        with pytest.raises(CommandError, match="no tenant 'nobody'"):
            _run("ai_report", "--tenant", "nobody")


@pytest.mark.django_db
class TestPreview:
    def test_needs_a_list_to_look_at(self, cast):
        with pytest.raises(CommandError, match="--no-ai"):
            _run("ai_preview", "--tenant", "acme")

    def test_knows_no_stranger(self, cast):
        with pytest.raises(CommandError, match="no tenant 'nobody'"):
            _run("ai_preview", "--tenant", "nobody")
