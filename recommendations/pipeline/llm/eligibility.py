"""Decides whether a user's list is eligible for AI reranking: feature flags, holdout arm, per-segment uplift gate.

Only users that the gate admits are assigned to an arm, so that both arms hold the same kind of users; the assignment
itself does not depend on the gate. A fixed share of the users behind a closed gate is admitted, so that their segment
stays measured.
"""

from dataclasses import dataclass

from django.conf import settings

from accounts.tenancy import flags
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.privacy.consent import SharingConsent, sharing_consent
from recommendations.ai.reranking.rerank import MIN_CANDIDATES
from recommendations.ai.uplift import gate
from recommendations.ai.uplift.gate import UpliftGate
from recommendations.pipeline.lists.entries import POPULAR, STATIC, Draft
from recommendations.pipeline.ranking.variants import VariantAssignment
from recommendations.placements import ai_holdout
from recommendations.placements.models import Placement

OFF, NO_KEY, GATE, CONTROL = "off", "no_key", "gate", "control"


@dataclass(frozen=True, slots=True)
class EligibilityPolicy:
    """The conditions of one placement in one build."""

    tenant_id: int
    placement: str
    enabled: bool
    configured: bool
    control_percent: int
    gate: UpliftGate
    consent: SharingConsent
    assignment: VariantAssignment

    def decide(self, draft: Draft) -> tuple[str | None, str]:
        """The reason why a list is not eligible, or None, and the arm to store with it.

        Users of an experiment stay in its arm whatever becomes of the list: the comparison is fixed beforehand.
        """
        user_id = draft.user.user_id
        if (label := self.assignment.label_of(user_id)) is not None:
            return (self._obstacle(draft) if self.assignment.recipe_for(label).ai else CONTROL), label
        if not self.assignment.default.ai:
            return OFF, ai_holdout.NONE
        if (reason := self._obstacle(draft)) is not None:
            return reason, ai_holdout.NONE
        arm = ai_holdout.holdout_arm(
            tenant_id=self.tenant_id,
            placement=self.placement,
            user_id=user_id,
            control_percent=self.control_percent,
        )
        return (CONTROL if arm == ai_holdout.CONTROL else None), arm

    def share_of(self, arm: str) -> float:
        """The probability that a user gets the lists of this arm."""
        experiment = self.assignment.experiment
        if experiment is not None and arm in self.assignment.arms:
            return experiment.share_of(arm)
        outside = 1.0 if experiment is None else experiment.share_of(None)
        control = self.control_percent / 100
        return outside * {ai_holdout.CONTROL: control, ai_holdout.AI: 1 - control}.get(arm, 1.0)

    def _obstacle(self, draft: Draft) -> str | None:
        if not self.enabled or not self.consent.enabled:
            return OFF
        if not self.configured:
            return NO_KEY
        if not flags.is_on(flags.AI, tenant_id=self.tenant_id, user_id=draft.user.user_id):
            return OFF
        return None if self._passes_gate(draft) else GATE

    def _passes_gate(self, draft: Draft) -> bool:
        if len(draft.entries) < MIN_CANDIDATES:
            return False
        cold = draft.source in (POPULAR, STATIC)
        if cold and not self.consent.user_attributes_to_share(draft.user.attributes):
            return False  # AI would know nothing about the user
        known = 0 if cold else len({item_id for item_id, _ in draft.user.events})
        return self.gate.is_open_for(known) or ai_holdout.is_explored(
            tenant_id=self.tenant_id,
            placement=self.placement,
            user_id=draft.user.user_id,
            percent=self.gate.policy.explore_percent,
        )


def load_policy(
    *, placement: Placement, calls_limit: int, assignment: VariantAssignment, configured: bool
) -> EligibilityPolicy:
    """The current conditions of a placement, in a build that may make this many AI calls."""
    config = AIConfiguration.from_settings(settings)
    own = placement.ai_control_percent
    return EligibilityPolicy(
        tenant_id=placement.tenant_id,
        placement=placement.name,
        enabled=placement.ai and calls_limit > 0,
        configured=configured,
        control_percent=config.control_percent if own is None else own,
        gate=gate.load_gate(tenant_id=placement.tenant_id, placement=placement.name, policy=config.gate),
        consent=sharing_consent(placement.tenant_id),
        assignment=assignment,
    )
