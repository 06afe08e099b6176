"""`manage.py ai_preview`: what a build's AI would cost, before it runs."""

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import scope
from accounts.models import Tenant
from core import clock
from recommendations.ai import report
from recommendations.ai.configuration import AIConfiguration
from recommendations.ai.facts import Candidate, HistoryItem
from recommendations.ai.prices import NANO_PER_USD, Price, UnknownModel
from recommendations.ai.provider import Usage
from recommendations.ai.rerank import MIN_CANDIDATES, RerankRequest, pose
from recommendations.ai.token_estimate import expected_input, input_bound
from recommendations.cache.form import HEAD, decode
from recommendations.placements.models import Placement
from recommendations.precompute import lists, people, showable
from recommendations.precompute.models import UserList

SAMPLE = 50
TOKENS_PER_REASON = 30
"""Of an answer, for each candidate, until the ledger knows better."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of the average call."""

    expected_input: float
    bound_input: float
    candidates: float


class Command(BaseCommand):
    """Poses the questions of a sample of people, as a build would, and counts; nothing is called."""

    help = "What the AI calls of a tenant's next build would cost at most and on average."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose build."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")

    def handle(self, *, tenant: str, **_: Any) -> None:
        """Estimates and prints.

        Raises: CommandError where there is no such tenant, no list yet, or no price.
        """
        now = clock.now()
        config = AIConfiguration.from_settings(settings)
        with scope.all_tenants("manage.py ai_preview"):
            found = Tenant.objects.select_related("plan").filter(slug=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant!r}. Its slug is shown in the admin.")
        try:
            price = config.prices.price(config.model, on=now.date())
        except UnknownModel as error:
            raise CommandError(str(error)) from error
        wanted, sample = _lists(found.pk)
        if not sample:
            raise CommandError(
                f"There is no list yet that AI would rerank. Run `manage.py build --tenant {tenant} --no-ai`."
            )
        own = found.plan.ai_calls_per_build
        calls = min(wanted, config.calls_per_build if own is None else own)
        typical = report.typical_call(tenant_id=found.pk, now=now)
        self._print(config, price, calls, wanted, _estimate(found.pk, sample, found.locale), typical)
        for cap in report.standings(tenant_id=found.pk, limits=config.budget, now=now):
            if cap.limit.nano_usd is not None:
                left = (cap.limit.nano_usd - cap.spent.nano_usd - cap.reserved.nano_usd) / NANO_PER_USD
                self.stdout.write(f"Left of {cap.cap}: ${left:.4f}")

    def _print(
        self,
        config: AIConfiguration,
        price: Price,
        calls: int,
        wanted: int,
        estimate: Estimate,
        typical: report.TypicalCall | None,
    ) -> None:
        answer = typical.output_tokens if typical else round(TOKENS_PER_REASON * estimate.candidates)
        usage = Usage(input_tokens=round(estimate.expected_input), output_tokens=answer)
        most = price.bound(input_tokens=round(estimate.bound_input), output_tokens=config.max_output_tokens)
        source = f"{typical.calls} earlier calls" if typical else "the number of candidates"
        self.stdout.write(f"{wanted} lists are meant for AI; {calls} calls with {config.model} are allowed in a build.")
        self.stdout.write(
            f"A call: about {usage.input_tokens} tokens in, {answer} out (by {source}),"
            f" ${price.cost(usage) / NANO_PER_USD:.6f}; at most ${most / NANO_PER_USD:.6f}."
        )
        self.stdout.write(
            f"The build: about ${calls * price.cost(usage) / NANO_PER_USD:.4f},"
            f" at most ${calls * most / NANO_PER_USD:.4f}; less what was answered before."
        )


def _lists(tenant_id: int) -> tuple[int, list[UserList]]:
    """How many active lists AI may rerank, and an evenly spread sample of them."""
    with scope.tenant(tenant_id):
        active = Placement.objects.filter(tenant_id=tenant_id, ai=True, active_build__isnull=False)
        pairs = list(active.values_list("pk", "active_build_id"))
        rows = UserList.objects.filter(
            tenant_id=tenant_id,
            placement_id__in=[placement for placement, _ in pairs],
            build_id__in=[build for _, build in pairs],
            source__in=[lists.MODEL, lists.AI],
        ).order_by("pk")
        pks = list(rows.values_list("pk", flat=True))
        step = max(1, len(pks) // SAMPLE)
        return len(pks), list(rows.filter(pk__in=pks[::step][:SAMPLE]))


def _estimate(tenant_id: int, sample: list[UserList], locale: str) -> Estimate:
    questions = [question for row in sample if (question := _question(tenant_id, row, locale)) is not None]
    if not questions:
        raise CommandError("The lists are too short for AI: it reranks from two items on.")
    posed = [pose(each).completion_request for each in questions]
    return Estimate(
        sum(expected_input(each) for each in posed) / len(posed),
        sum(input_bound(each) for each in posed) / len(posed),
        sum(len(each.candidates) for each in questions) / len(questions),
    )


def _question(tenant_id: int, row: UserList, locale: str) -> RerankRequest | None:
    person = people.read_range(tenant_id=tenant_id, first=row.end_user_id, last=row.end_user_id)
    head = [entry["item_id"] for entry in decode(bytes(row.body)).entries()[:HEAD]]
    past = [item_id for each in person for item_id, _ in reversed(each.events)]
    with scope.tenant(tenant_id):
        facts = showable.facts(tenant_id=tenant_id, item_ids={*head, *past}, texts=True)
    known = [item_id for item_id in head if item_id in facts]
    if len(known) < MIN_CANDIDATES:
        return None
    return RerankRequest(
        person_key=str(row.end_user_id),
        locale=locale,
        history=[
            HistoryItem(title=facts[each].title, categories=facts[each].categories)
            for each in dict.fromkeys(past)
            if each in facts
        ],
        candidates=[
            Candidate(
                item_id=each,
                title=facts[each].title,
                categories=facts[each].categories,
                description=facts[each].description,
            )
            for each in known
        ],
    )
