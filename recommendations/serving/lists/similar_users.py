"""Related people as they are read: whoever was erased or merged since their row was written is in no answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.tenancy import scope
from recommendations.models import EndUser, RelatedPeople
from recommendations.pipeline.builds.similar_users import SCALE
from recommendations.serving.read import cursor


@dataclass(frozen=True, slots=True)
class Related:
    """Who is like a person, most alike first, with cosines in (0, 1]. Without `made`: no training has compared them."""

    people: Sequence[tuple[str, float]]
    made: datetime | None


def of_person(*, tenant_id: int, user_id: str) -> Related | None:
    """None for somebody unknown."""
    with scope.tenant(tenant_id):
        known = EndUser.objects.filter(tenant_id=tenant_id, user_id=user_id).order_by()
        person = known.values_list("pk", flat=True).first()
        if person is None:
            return None
        rows = RelatedPeople.objects.filter(tenant_id=tenant_id, end_user_id=person)
        held = rows.values_list("people", "scores", "generated_at").first()
        if held is None:
            return Related((), None)
        people, scores, made = held
        there = EndUser.objects.filter(tenant_id=tenant_id, pk__in=people).order_by()
        names = dict(there.values_list("pk", "user_id"))
    named = [(names[pk], score / SCALE) for pk, score in zip(people, scores, strict=True) if pk in names]
    return Related(named, made)


def page(related: Related, *, shown: Sequence[bytes], limit: int) -> tuple[list[tuple[str, float]], bool]:
    """Those whom earlier pages of the walk did not show, and whether there are more."""
    seen = set(shown)
    left = [each for each in related.people if cursor.digest(each[0]) not in seen]
    return left[:limit], len(left) > limit
