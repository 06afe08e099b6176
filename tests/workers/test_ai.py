"""The task that keeps AI's records tidy."""

from datetime import timedelta

from accounts.tenancy import scope
from core import clock
from recommendations.ai.budget.reservations import Budget
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIAnswer, AIBudget, AIReservation
from recommendations.ai.money import Amount, BudgetLimits
from recommendations.ai.protocol import CompletionRequest, Message
from workers.tasks.ai import tidy

QUESTION = CompletionRequest(
    purpose="rerank", messages=(Message(role="user", content="What?"),), schema_name="answer", schema={}
)


def keep(tenant_id, digest, *, days_ago):
    response_cache.store(
        tenant_id=tenant_id,
        digest=digest,
        subject="p",
        request=QUESTION,
        model="m",
        content={},
        now=clock.now() - timedelta(days=days_ago),
    )


def test_gives_back_what_a_dead_process_held_and_deletes_old_answers(cast, committed_db, settings):
    acme = cast.acme.tenant.pk
    settings.AI_ANSWER_DAYS = 5
    keep(acme, "old", days_ago=6)
    keep(acme, "young", days_ago=4)
    budget, hour_ago = Budget(limits=BudgetLimits()), clock.now() - timedelta(hours=1)
    budget.reserve(tenant_id=acme, amount=Amount(tokens=5), now=hour_ago, deadline_seconds=20)
    budget.reserve(tenant_id=acme, amount=Amount(tokens=3), now=clock.now(), deadline_seconds=20)

    tidy()

    with scope.tenant(acme):
        assert list(AIAnswer.objects.values_list("digest", flat=True)) == ["young"]
        assert AIReservation.objects.get().tokens == 3
        held = AIBudget.objects.filter(period="month").values_list("reserved_tokens", flat=True)
        assert sum(held) == 3
