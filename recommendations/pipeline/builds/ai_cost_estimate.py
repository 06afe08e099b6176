"""Cost estimate of the AI calls of a tenant's next build, for the command line and the admin.

The lists are made, chosen and put into questions by the code of builds (following, for_whom, asking), of everybody or,
where they are many, of an even spread of them; so what a build would ask is what is counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.ai.budget import reports
from recommendations.ai.budget.reports import NothingToEstimate
from recommendations.ai.config.prices import UnknownModel
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.gateway.response_cache import request_digest
from recommendations.ai.models import AIAnswer
from recommendations.ai.protocol import CompletionRequest, Usage
from recommendations.ai.providers.tokens import expected_input, input_bound
from recommendations.ai.reranking.rerank import RerankRequest, build_question
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.catalog.models import EndUser
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.builds.lifecycle import ai_calls_limit
from recommendations.pipeline.lists import entries, profiles
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.llm.eligibility import EligibilityPolicy, load_policy
from recommendations.pipeline.llm.questions import QuestionBuilder
from recommendations.pipeline.ranking import variants
from recommendations.placements.models import HOME, Placement

EXAMINED = 1_000
"""People whose lists are made for it, evenly spread; what is counted of them stands for all."""
SAMPLE = 50
"""Questions whose tokens are counted."""
_AT_ONCE = 200
TOKENS_PER_REASON = 30
"""Of an answer, for each candidate, until the ledger knows better."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The next build's AI calls and their cost in nano-dollars."""

    wanted: int
    """Lists that are meant for AI."""
    calls: int
    """Of these may be asked for in one build."""
    answered: int
    """Of the calls were answered before, and cost nothing."""
    usage: Usage
    """Of the average call."""
    source: str
    """The source of the estimated answer length."""
    per_call: int
    per_call_most: int

    @property
    def total(self) -> int:
        """For the build, on average."""
        return (self.calls - self.answered) * self.per_call

    @property
    def total_most(self) -> int:
        """For the build, at most."""
        return (self.calls - self.answered) * self.per_call_most


@dataclass(slots=True)
class _Counted:
    """Findings about the examined users."""

    questions: list[tuple[str, CompletionRequest, int]] = field(default_factory=list)
    """Digest, what would be sent, and how many candidates it names; in the order of a build."""
    skipped: Counter[str] = field(default_factory=Counter)


def preview(*, tenant: Tenant, config: AIConfiguration, now: datetime) -> Preview:
    """Pose the questions as a build would, and count; nothing is called.

    Raises:
        report.NothingToEstimate: there is no build yet, no list is meant for AI, or there is no price.
    """
    try:
        price = config.prices.price(config.model, on=now.date())
    except UnknownModel as error:
        raise NothingToEstimate(str(error)) from error
    loaded = _loaded(tenant)
    with scope.tenant(tenant.pk):
        pks = list(EndUser.objects.filter(tenant_id=tenant.pk).order_by("pk").values_list("pk", flat=True))
    chosen = pks[:: -(-len(pks) // EXAMINED) or 1]
    limit = ai_calls_limit(tenant, config)
    counted = _count(tenant.pk, chosen, loaded, limit, config, now)
    if not counted.questions:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(counted.skipped.items()))
        raise NothingToEstimate(f"No list is eligible for AI (lists by reason: {why or 'none'}).")
    wanted = round(len(counted.questions) * len(pks) / len(chosen))
    calls = min(wanted, limit)
    asked = counted.questions[: round(calls * len(counted.questions) / wanted)] or counted.questions
    stored = _stored(tenant.pk, [digest for digest, _, _ in asked])
    new = [each for each in asked if each[0] not in stored] or asked
    sample = new[:: -(-len(new) // SAMPLE)]
    expected, bound = (sum(count(each[1]) for each in sample) / len(sample) for count in (expected_input, input_bound))
    typical = reports.typical_call(tenant_id=tenant.pk, now=now)
    per_answer = TOKENS_PER_REASON * sum(each[2] for each in sample) / len(sample)
    usage = Usage(input_tokens=round(expected), output_tokens=typical.output_tokens if typical else round(per_answer))
    return Preview(
        wanted=wanted,
        calls=calls,
        answered=round(calls * sum(digest in stored for digest, _, _ in asked) / len(asked)),
        usage=usage,
        source=f"{typical.calls} earlier calls" if typical else "the number of candidates",
        per_call=price.cost(usage),
        per_call_most=price.bound(input_tokens=round(bound), output_tokens=config.max_output_tokens),
    )


def _loaded(tenant: Tenant) -> Loaded:
    """The active artefact: the next build's does not exist yet."""
    with scope.tenant(tenant.pk):
        homes = Placement.objects.select_related("active_build__artefact").filter(tenant_id=tenant.pk, name=HOME)
        home = homes.order_by().first()
    build = home.active_build if home else None
    if build is None or build.artefact is None:
        raise NothingToEstimate(
            f"There is no list yet that AI would rerank. Run `manage.py build --tenant {tenant.slug} --no-ai`."
        )
    try:
        alone = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
    except (OSError, UnreadableArtefact) as error:
        raise NothingToEstimate(f"Artefact #{build.artefact.pk} cannot be read: {error}") from error
    return live.with_fresh_items(alone, tenant_id=tenant.pk, build_id=build.pk)


def _count(
    tenant_id: int, pks: Sequence[int], loaded: Loaded, limit: int, config: AIConfiguration, now: datetime
) -> _Counted:
    locale = entries.tenant_locale(tenant_id)
    with scope.tenant(tenant_id):
        placements = list(Placement.objects.filter(tenant_id=tenant_id).order_by("pk"))
    assignments = variants.load_assignments(
        tenant_id=tenant_id,
        placements=[each.pk for each in placements],
        versions={str(each.pk): each.active_version_id for each in placements},
        loaded=loaded,
    )
    policies = {
        placement.pk: load_policy(
            placement=placement,
            calls_limit=limit,
            assignment=assignments[placement.pk],
            configured=config.in_use,
        )
        for placement in placements
    }
    counted = _Counted()
    for at in range(0, len(pks), _AT_ONCE):
        users = profiles.read_users(tenant_id=tenant_id, pks=pks[at : at + _AT_ONCE])
        generated = variants.generate_by_variant(
            tenant_id=tenant_id,
            users=users,
            assignments=assignments,
            labels={pk: [each.label_of(user.user_id) for user in users] for pk, each in assignments.items()},
            texts=True,
            now=now,
            locale=locale,
        )
        for pk, policy in policies.items():
            questions = QuestionBuilder(tenant_id, generated.facts, locale, policy.consent, assignments[pk])
            for request in _eligible(policy, generated.drafts[pk].values(), questions, counted.skipped):
                posed = build_question(request).completion_request
                digest = request_digest(posed, model=config.model, origin=config.origin)
                counted.questions.append((digest, posed, len(request.candidates)))
    return counted


def _eligible(
    policy: EligibilityPolicy, drafts: Iterable[Draft], questions: QuestionBuilder, skipped: Counter[str]
) -> Iterator[RerankRequest]:
    """The questions about the eligible lists; the others are counted by reason."""
    for draft in drafts:
        reason, arm = policy.decide(draft)
        if reason:
            skipped[reason] += 1
        else:
            yield questions.build(replace(draft, arm=arm))


def _stored(tenant_id: int, digests: Sequence[str]) -> set[str]:
    with scope.tenant(tenant_id):
        rows = AIAnswer.objects.filter(tenant_id=tenant_id, digest__in=digests)
        return set(rows.values_list("digest", flat=True))
