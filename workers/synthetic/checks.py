"""The checks. Each gets tokens of its own, so that one finding does not hide another."""

import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from workers.synthetic.api import CheckFailed, Service, segment

SCOPES = (
    "catalog:read",
    "events:read",
    "events:write",
    "insights:read",
    "offline_access",
    "recommendations:read",
    "tokens:issue",
)
"""The scopes that the runner's client needs."""
ORIGIN = "https://synthetic.example.org"
"""The page that the browser token is for. No page is there; the tenant allows it."""
USERS, ITEMS = 100, 300
"""Users of a region, who take turns, so that each has few events however long the checks run; items of the tenant."""
_POLL_SECONDS = 0.5
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Probe:
    """One run of a check: the service, the runner's credentials, and whose user it plays."""

    service: Service
    client_id: str
    client_secret: str
    region: str
    turn: int

    @property
    def user_id(self) -> str:
        """The user of this turn."""
        return user_of(self.region, self.turn)

    def token(self, *scopes: str) -> dict[str, Any]:
        """The token endpoint's answer to the client's credentials; without scopes all but `offline_access`."""
        form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
        return self.grant({name: value for name, value in form.items() if value}).json()  # type: ignore[no-any-return]

    def grant(self, form: Mapping[str, str], *, status: int = 200) -> Any:
        """One request to the token endpoint."""
        credentials = {"client_id": self.client_id, "client_secret": self.client_secret}
        return self.service.expect(status, "POST", "/api/v1/auth/token", form={**credentials, **form})

    def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Asks again and again.

        Raises: CheckFailed where it does not hold before the deadline.
        """
        while not holds():
            if self.service.seconds_left <= _POLL_SECONDS:
                raise CheckFailed(otherwise)
            time.sleep(_POLL_SECONDS)


def user_of(region: str, turn: int) -> str:
    """The id of the user whose turn it is."""
    return f"synthetic-{region}-{turn % USERS}"


def item_of(number: int) -> str:
    """The id of one of the tenant's items."""
    return f"synthetic-item-{number % ITEMS:03d}"


def journey(probe: Probe) -> None:
    """Token, event, a list that reflects it, similar items, a click, and insights that count it."""
    token = str(_text(probe.token(), "access_token"))
    shown = _items(_list(probe, token), "the list is empty")
    chosen = random.choice(shown)  # noqa: S311  # nothing secret
    _send(probe, token, type="purchase", item_id=chosen)
    probe.until(
        lambda: chosen not in _items(_list(probe, token), "the list is empty after an event"),
        "the list does not reflect an event",
    )
    similar = probe.service.expect(
        200, "GET", f"/api/v1/items/{segment(chosen)}/similar?limit={_SHOWN}", token=token
    ).json()
    if chosen in _items(similar, "there are no similar items"):
        raise CheckFailed("an item is similar to itself")
    page = _list(probe, token)
    # Since yesterday: a check may begin before midnight and end after it.
    since = date.fromtimestamp(time.time() - 86_400).isoformat()  # noqa: DTZ012  # days of either zone will do
    before = _clicks(probe, token, since)
    clicked = _items(page, "the list is empty")[0]
    _send(probe, token, type="click", item_id=clicked, recommendation_id=_text(page, "recommendation_id"))
    probe.until(lambda: _clicks(probe, token, since) > before, "insights do not count a click")


def refresh(probe: Probe) -> None:
    """A refresh token works once; shown again it is refused, and its successor with it."""
    first = _text(probe.token("events:read", "offline_access"), "refresh_token")
    second = _text(probe.grant(_refresh(first)).json(), "refresh_token")
    if first == second:
        raise CheckFailed("a refresh token was not replaced")
    for used in (first, second):
        probe.grant(_refresh(used), status=401)


def idempotency(probe: Probe) -> None:
    """An event sent twice with one key gets the first answer again; another event with that key is refused."""
    token = _text(probe.token(), "access_token")
    event = {"user_id": probe.user_id, "item_id": item_of(probe.turn), "type": "impression"}
    event["event_id"] = uuid.uuid4().hex
    headers = {"Idempotency-Key": uuid.uuid4().hex}

    def send(status: int, body: Mapping[str, str]) -> Any:
        return probe.service.expect(status, "POST", "/api/v1/events", token=token, body=body, headers=headers)

    first, second = send(201, event), send(201, event)
    if second.headers.get("idempotent-replayed") != "true" or first.body != second.body:
        raise CheckFailed("a repeated write did not get the first answer again")
    send(422, {**event, "event_id": uuid.uuid4().hex})


def browser_token(probe: Probe) -> None:
    """A browser token reads its user's list and no other user's, no catalogue, and nothing from another page."""
    token = _text(probe.token(), "access_token")
    asked = {"user_id": probe.user_id, "origin": ORIGIN}
    issued = probe.service.expect(200, "POST", "/api/v1/auth/end-user-token", token=token, body=asked).json()
    own, stranger = _list_path(probe.user_id), _list_path(user_of(probe.region, probe.turn + 1))
    pages: list[tuple[int, str, str]] = [
        (200, own, ORIGIN),
        (403, stranger, ORIGIN),
        (403, "/api/v1/items", ORIGIN),
        (403, own, "https://elsewhere.example.org"),
    ]
    for status, path, origin in pages:
        probe.service.expect(status, "GET", path, token=_text(issued, "access_token"), headers={"Origin": origin})


CHECKS: Mapping[str, Callable[[Probe], None]] = {
    "journey": journey,
    "refresh": refresh,
    "idempotency": idempotency,
    "browser_token": browser_token,
}


def _list_path(user_id: str) -> str:
    return f"/api/v1/users/{segment(user_id)}/recommendations?limit={_SHOWN}"


def _list(probe: Probe, token: str) -> Any:
    return probe.service.expect(200, "GET", _list_path(probe.user_id), token=token).json()


def _items(answer: Any, otherwise: str) -> list[str]:
    items = answer.get("items") if isinstance(answer, dict) else None
    if not items:
        raise CheckFailed(otherwise)
    return [str(item["item_id"]) for item in items]


def _send(probe: Probe, token: str, **event: str) -> None:
    body = {"user_id": probe.user_id, "event_id": uuid.uuid4().hex, **event}
    probe.service.expect(201, "POST", "/api/v1/events", token=token, body=body)


def _clicks(probe: Probe, token: str, since: str) -> int:
    answer = probe.service.expect(200, "GET", f"/api/v1/insights/placements?from={since}", token=token).json()
    return sum(int(row["clicks"]) for row in answer["data"])


def _refresh(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


def _text(answer: Any, name: str) -> str:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise CheckFailed(f"the answer has no {name}")
    return value
