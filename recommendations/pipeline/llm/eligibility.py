"""For whom AI is meant: the switches, the control arm, and the gate by segment.

Only people whom the gate lets pass are in one of the arms, so that both hold the same kind of people; who is in which
is drawn apart from the gate. Of the people behind a closed gate a fixed share passes, so that their segment stays
measured.
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
from recommendations.pipeline.ranking.variants import Following
from recommendations.placements import ai_holdout
from recommendations.placements.models import Placement

OFF, NO_KEY, GATE, CONTROL = "off", "no_key", "gate", "control"


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides for one placement in one build."""

    tenant_id: int
    placement: str
    wanted: bool
    configured: bool
    control_percent: int
    gate: UpliftGate
    released: SharingConsent
    following: Following

    def decide(self, each: Draft) -> tuple[str | None, str]:
        """Return why a list is not meant for AI, or None, and the arm to store with it.

        Who is in an experiment is in its arm whatever becomes of the list: who is compared is decided before.
        """
        user_id = each.person.user_id
        if (label := self.following.label_of(user_id)) is not None:
            return (self._hindrance(each) if self.following.way(label).ai else CONTROL), label
        if not self.following.usual.ai:
            return OFF, ai_holdout.NONE
        if (reason := self._hindrance(each)) is not None:
            return reason, ai_holdout.NONE
        arm = ai_holdout.holdout_arm(
            tenant_id=self.tenant_id,
            placement=self.placement,
            user_id=user_id,
            control_percent=self.control_percent,
        )
        return (CONTROL if arm == ai_holdout.CONTROL else None), arm

    def share_of(self, arm: str) -> float:
        """The probability with which somebody gets the lists of this arm."""
        experiment = self.following.experiment
        if experiment is not None and arm in self.following.arms:
            return experiment.share_of(arm)
        outside = 1.0 if experiment is None else experiment.share_of(None)
        control = self.control_percent / 100
        return outside * {ai_holdout.CONTROL: control, ai_holdout.AI: 1 - control}.get(arm, 1.0)

    def _hindrance(self, each: Draft) -> str | None:
        if not self.wanted or not self.released.enabled:
            return OFF
        if not self.configured:
            return NO_KEY
        if not flags.is_on(flags.AI, tenant_id=self.tenant_id, user_id=each.person.user_id):
            return OFF
        return None if self._passes(each) else GATE

    def _passes(self, each: Draft) -> bool:
        if len(each.entries) < MIN_CANDIDATES:
            return False
        cold = each.source in (POPULAR, STATIC)
        if cold and not self.released.user_attributes_to_share(each.person.attributes):
            return False  # nothing is known of the person that AI could go by
        known = 0 if cold else len({item_id for item_id, _ in each.person.events})
        return self.gate.is_open_for(known) or ai_holdout.is_explored(
            tenant_id=self.tenant_id,
            placement=self.placement,
            user_id=each.person.user_id,
            percent=self.gate.policy.explore_percent,
        )


def choice_of(*, placement: Placement, calls_limit: int, following: Following, configured: bool) -> Choice:
    """Read what decides for a placement now, in a build that may ask so often."""
    config = AIConfiguration.from_settings(settings)
    own = placement.ai_control_percent
    return Choice(
        tenant_id=placement.tenant_id,
        placement=placement.name,
        wanted=placement.ai and calls_limit > 0,
        configured=configured,
        control_percent=config.control_percent if own is None else own,
        gate=gate.load_gate(tenant_id=placement.tenant_id, placement=placement.name, policy=config.gate),
        released=sharing_consent(placement.tenant_id),
        following=following,
    )
