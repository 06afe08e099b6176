"""What the AI calls of a tenant's next build would cost, before it runs: for the command line and the admin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts import scope
from accounts.models import Tenant
from recommendations.ai import prompts, report
from recommendations.ai.configuration import AIConfiguration
from recommendations.ai.facts import Candidate, HistoryItem
from recommendations.ai.prices import UnknownModel
from recommendations.ai.provider import Usage
from recommendations.ai.release import Released, released
from recommendations.ai.report import NothingToPreview
from recommendations.ai.rerank import MIN_CANDIDATES, RerankRequest, pose
from recommendations.ai.token_estimate import expected_input, input_bound
from recommendations.attribution import assignment
from recommendations.attribution.assignment import Assignment
from recommendations.cache.form import HEAD, decode
from recommendations.placements.models import Placement
from recommendations.placements.rules import PLAIN, Rules
from recommendations.placements.versions import kept
from recommendations.precompute import people, showable
from recommendations.precompute.models import UserList
from recommendations.precompute.people import Person
from recommendations.precompute.showable import ItemFacts

SAMPLE = 50
RERANKED = ("model", "ai")
"""Sources of lists that AI would be asked about."""
TOKENS_PER_REASON = 30
"""Of an answer, for each candidate, until the ledger knows better."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the next build would ask and what that costs, in nano-dollars; less what was answered before."""

    wanted: int
    """Lists that are meant for AI."""
    calls: int
    """Of these may be asked for in one build."""
    usage: Usage
    """Of the average call."""
    source: str
    """What its answer's length is known from."""
    per_call: int
    per_call_most: int

    @property
    def total(self) -> int:
        """For the build, on average."""
        return self.calls * self.per_call

    @property
    def total_most(self) -> int:
        """For the build, at most."""
        return self.calls * self.per_call_most


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of the average call."""

    expected_input: float
    bound_input: float
    candidates: float


def preview(*, tenant: Tenant, config: AIConfiguration, now: datetime) -> Preview:
    """Pose the questions of a sample of people, as a build would, and count; nothing is called.

    Raises:
        report.NothingToPreview: there is no list yet, or no price.
    """
    try:
        price = config.prices.price(config.model, on=now.date())
    except UnknownModel as error:
        raise NothingToPreview(str(error)) from error
    asking = _asking(tenant.pk)
    wanted, sample = _lists(tenant.pk, asking)
    if not sample:
        raise NothingToPreview(
            f"There is no list yet that AI would rerank. Run `manage.py build --tenant {tenant.slug} --no-ai`."
        )
    own = tenant.plan.ai_calls_per_build
    estimate = _estimate(tenant.pk, sample, tenant.locale, asking)
    typical = report.typical_call(tenant_id=tenant.pk, now=now)
    answer = typical.output_tokens if typical else round(TOKENS_PER_REASON * estimate.candidates)
    usage = Usage(input_tokens=round(estimate.expected_input), output_tokens=answer)
    return Preview(
        wanted=wanted,
        calls=min(wanted, config.calls_per_build if own is None else own),
        usage=usage,
        source=f"{typical.calls} earlier calls" if typical else "the number of candidates",
        per_call=price.cost(usage),
        per_call_most=price.bound(input_tokens=round(estimate.bound_input), output_tokens=config.max_output_tokens),
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom the next build asks about at a placement, and with which prompt."""

    usual: Rules
    experiment: Assignment | None

    def prompt(self, user_id: str) -> str | None:
        """Of the rules that the person's list will follow; None where they or the person's arm leave AI out."""
        label = self.experiment.arm_of(user_id) if self.experiment else None
        arm = next((arm for arm in self.experiment.arms if arm.label == label), None) if self.experiment else None
        rules = self.usual if arm is None or arm.rules is None else kept(arm.rules)
        return prompts.known(rules.prompt) if rules.ai and (arm is None or arm.ai) else None


def _asking(tenant_id: int) -> dict[int, Asking]:
    with scope.tenant(tenant_id):
        found = Placement.objects.filter(tenant_id=tenant_id, ai=True)
        return {
            pk: Asking(
                PLAIN if rules is None else kept(rules), assignment.running(tenant_id=tenant_id, placement_id=pk)
            )
            for pk, rules in found.values_list("pk", "active_version__rules")
        }


def _lists(tenant_id: int, asking: Mapping[int, Asking]) -> tuple[int, list[UserList]]:
    """How many active lists AI may rerank, and an evenly spread sample of them."""
    with scope.tenant(tenant_id):
        active = Placement.objects.filter(tenant_id=tenant_id, ai=True, active_build__isnull=False)
        pairs = list(active.values_list("pk", "active_build_id"))
        rows = UserList.objects.filter(
            tenant_id=tenant_id,
            placement_id__in=[placement for placement, _ in pairs],
            build_id__in=[build for _, build in pairs],
            source__in=RERANKED,
        ).order_by("pk")
        owners = rows.values_list("pk", "placement_id", "end_user__user_id").iterator()
        pks = [pk for pk, placement, user_id in owners if asking[placement].prompt(user_id) is not None]
        step = max(1, len(pks) // SAMPLE)
        return len(pks), list(rows.select_related("end_user").filter(pk__in=pks[::step][:SAMPLE]))


def _estimate(tenant_id: int, sample: list[UserList], locale: str, asking: Mapping[int, Asking]) -> Estimate:
    choice = released(tenant_id)
    owners = {each.pk: each for each in people.read(tenant_id=tenant_id, pks={row.end_user_id for row in sample})}
    heads = {row.pk: [entry["item_id"] for entry in decode(bytes(row.body)).entries()[:HEAD]] for row in sample}
    named = {item_id for head in heads.values() for item_id in head}
    named |= {item_id for each in owners.values() for item_id, _ in each.events}
    with scope.tenant(tenant_id):
        facts = showable.facts(tenant_id=tenant_id, item_ids=named, texts=True)
    found = (
        _question(row, owners.get(row.end_user_id), heads[row.pk], facts, locale, choice, asking[row.placement_id])
        for row in sample
    )
    questions = [question for question in found if question is not None]
    if not questions:
        raise NothingToPreview("The lists are too short for AI: it reranks from two items on.")
    posed = [pose(each).completion_request for each in questions]
    return Estimate(
        sum(expected_input(each) for each in posed) / len(posed),
        sum(input_bound(each) for each in posed) / len(posed),
        sum(len(each.candidates) for each in questions) / len(questions),
    )


def _question(
    row: UserList,
    person: Person | None,
    head: Sequence[str],
    facts: Mapping[str, ItemFacts],
    locale: str,
    choice: Released,
    asking: Asking,
) -> RerankRequest | None:
    past = [item_id for item_id, _ in reversed(person.events)] if person else []
    known = [item_id for item_id in head if item_id in facts]
    if len(known) < MIN_CANDIDATES:
        return None
    return RerankRequest(
        person_key=str(row.end_user_id),
        locale=locale,
        prompt=prompts.known(asking.prompt(row.end_user.user_id) or ""),
        person=choice.of_person(person.attributes) if person else {},
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
                attributes=choice.of_item(facts[each].attributes),
            )
            for each in known
        ],
    )
