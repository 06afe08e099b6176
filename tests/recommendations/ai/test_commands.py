"""What staff read on the command line: the report reconciles, the preview comes near the bill."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts import scope
from core import clock
from recommendations.ai import fallbacks
from recommendations.ai.models import AIBudget
from recommendations.attribution import experiments
from recommendations.models import Experiment, ExperimentArm
from recommendations.placements import versions
from tests.recommendations.ai.films import films
from tests.recommendations.lists import publish

ITEMS = [f"i{number:02}" for number in range(25)]


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
        fallbacks.note(tenant_id=tenant_id, now=now, meant=20, fallbacks={"budget": 5}, skipped={"off": 3})

        said = _run("ai_report", "--tenant", "acme")

        assert "rerank gpt-4.1-mini rerank-1 (simulated): 2 calls, 2 answered" in said
        assert re.search(r"tenant_day from .*: \$0\.00\d\d and \d+ tokens of \$5\.0000", said)
        assert "24 hours: 20 lists meant for AI, 25.0% without: budget 5, off 3" in said
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
    def test_counts_calls_and_money_of_the_next_build(self, cast):
        tenant = cast.acme.tenant
        publish(tenant, people=dict.fromkeys(("ann", "bob", "cem"), ITEMS), items=ITEMS)

        said = _run("ai_preview", "--tenant", "acme")

        assert "3 lists are meant for AI; 2 calls with gpt-4.1-mini are allowed" in said
        per_call, most = (float(each) for each in re.findall(r"\$(\d\.\d{6})", said))
        build = re.search(r"The build: about \$(\d\.\d{4}), at most \$(\d\.\d{4})", said)
        assert build is not None
        assert 0.0005 < per_call < most < 0.02
        assert float(build[1]) == pytest.approx(2 * per_call, abs=1e-4)
        assert "Left of tenant_day: $5.0000" in said

    def test_goes_by_the_prompt_that_rules_and_arms_say(self, cast):
        tenant = cast.acme.tenant
        people = [f"p{number}" for number in range(20)]
        publish(tenant, people=dict.fromkeys(people, ITEMS), items=ITEMS)
        version = versions.draft(
            tenant_id=tenant.pk, placement="home", rules={"prompt": "rerank-variety-1"}, now=clock.now()
        )
        usual = _run("ai_preview", "--tenant", "acme")
        versions.publish(tenant_id=tenant.pk, placement="home", number=version.number, now=clock.now())
        longer = _run("ai_preview", "--tenant", "acme")
        with scope.tenant(tenant.pk):
            experiment = Experiment.objects.create(tenant=tenant, placement=version.placement, name="AI?")
            for letter, ai in (("a", False), ("b", True)):
                ExperimentArm.objects.create(tenant=tenant, experiment=experiment, letter=letter, percent=50, ai=ai)
        experiments.start(tenant_id=tenant.pk, experiment_id=experiment.pk, now=clock.now())
        halved = _run("ai_preview", "--tenant", "acme")

        tokens = [int(said.split("A call: about ")[1].split()[0]) for said in (usual, longer)]
        assert tokens[0] < tokens[1]
        assert [int(said.split()[0]) for said in (usual, longer)] == [20, 20]
        assert 2 < int(halved.split()[0]) < 18

    def test_needs_a_list_to_look_at(self, cast):
        with pytest.raises(CommandError, match="--no-ai"):
            _run("ai_preview", "--tenant", "acme")

    def test_knows_no_stranger(self, cast):
        with pytest.raises(CommandError, match="no tenant 'nobody'"):
            _run("ai_preview", "--tenant", "nobody")
