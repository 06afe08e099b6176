"""The pages that a placement has shown to people, as they were kept, with what was clicked on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from recommendations.attribution import served_pages
from recommendations.attribution.served_pages import Page

# People come in an order that has nothing to do with them, so that the first so many pages are a fair sample.
_PAGES = """
    SELECT end_user_id, first_at, arm, page, clicked FROM recommendations_impression
    WHERE tenant_id = %(tenant)s AND placement = %(placement)s AND first_at >= %(since)s AND first_at < %(until)s
        AND page IS NOT NULL AND end_user_id IS NOT NULL
    ORDER BY hashint8(end_user_id), end_user_id, first_at LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class LoggedImpression:
    """A page that one person was shown within one hour."""

    person: int
    at: datetime
    arm: str
    page: Page
    clicked: frozenset[str]

    @property
    def made_at(self) -> datetime:
        """The moment at which its list was made."""
        return datetime.fromisoformat(self.page.made_at)


def read(*, tenant_id: int, placement: str, since: datetime, until: datetime, most: int) -> list[LoggedImpression]:
    """The pages of as many people as make up `most` of them, person by person. Inside the tenant's scope."""
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "placement": placement,
        "since": since,
        "until": until,
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAGES, parameters)
        return list(_decoded(cursor.fetchall()))


def _decoded(rows: Sequence[tuple[int, datetime, str, bytes, list[str]]]) -> list[LoggedImpression]:
    pages = ((*row[:3], served_pages.read(bytes(row[3])), frozenset(row[4])) for row in rows)
    return [LoggedImpression(user, at, arm, page, clicked) for user, at, arm, page, clicked in pages if page]
