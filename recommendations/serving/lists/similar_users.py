"""Similar users, without those who were erased or merged since the row was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.tenancy import scope
from recommendations.models import EndUser, RelatedPeople
from recommendations.pipeline.builds.similar_users import SCALE
from recommendations.serving.read import cursor


@dataclass(frozen=True, slots=True)
class SimilarUsers:
    """The users most similar to a user, most similar first, with cosines in (0, 1].

    `generated_at` is None if no training has compared the user.
    """

    users: Sequence[tuple[str, float]]
    generated_at: datetime | None


def read_similar_users(*, tenant_id: int, user_id: str) -> SimilarUsers | None:
    """Return the users similar to this one; None for an unknown user."""
    with scope.tenant(tenant_id):
        users = EndUser.objects.filter(tenant_id=tenant_id, user_id=user_id).order_by()
        person = users.values_list("pk", flat=True).first()
        if person is None:
            return None
        rows = RelatedPeople.objects.filter(tenant_id=tenant_id, end_user_id=person)
        row = rows.values_list("people", "scores", "generated_at").first()
        if row is None:
            return SimilarUsers((), None)
        people, scores, generated_at = row
        known_users = EndUser.objects.filter(tenant_id=tenant_id, pk__in=people).order_by()
        names = dict(known_users.values_list("pk", "user_id"))
    named = [(names[pk], score / SCALE) for pk, score in zip(people, scores, strict=True) if pk in names]
    return SimilarUsers(named, generated_at)


def page(similar: SimilarUsers, *, shown: Sequence[bytes], limit: int) -> tuple[list[tuple[str, float]], bool]:
    """Return the users that earlier pages did not show, and whether there are more."""
    seen = set(shown)
    unseen = [user for user in similar.users if cursor.digest(user[0]) not in seen]
    return unseen[:limit], len(unseen) > limit
