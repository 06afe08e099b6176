"""Hostile requests that are short or small, and that much would have to be done for."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from accounts.tenancy import scope
from accounts.tokens import access_tokens
from core import clock
from recommendations.models import EndUser, Item

SENDERS, PAUSE_SECONDS = 8, 0.5
MIB = 1024 * 1024
CATALOGUE = 3_000
ORIGIN = "https://shop.example.org"
BATCH = "/api/v1/recommendations/batch"
# 40 comparisons with a list of 100, in 1,786 characters; and one that is as costly as may be.
PERSONAL = " or ".join(f"attributes.t{number} contains user.attributes.l" for number in range(40))
ALLOWED = " or ".join(f"attributes.t{number} contains user.attributes.l" for number in range(4))
DATES = " or ".join([f"attributes.year in [{', '.join(f'{1900 + year}-01-01' for year in range(76))}]"] * 2)
BODY = b'{"events":[' + b",".join([b'{"":0}'] * ((5 * MIB - 20) // 7)) + b"]}"


@contextlib.contextmanager
def expensive_filters(stage: Any) -> Iterator[None]:
    """Eight senders of acme's: batches of people, and a visitor's browser."""
    tenant = stage.cast.acme.tenant
    told = {f"t{number}": f"some text about {number}" for number in range(40)} | {"year": "1999"}
    with scope.tenant(tenant.pk):
        Item.objects.bulk_create(
            [Item(tenant=tenant, item_id=f"more{number}", attributes=told) for number in range(CATALOGUE)]
        )
        people = [f"q{number}" for number in range(12)]
        words = [f"word {number} that is nowhere" for number in range(99)]
        EndUser.objects.bulk_create(
            [EndUser(tenant=tenant, user_id=each, attributes={"l": [*words, each]}) for each in people]
        )
    browser = _browser(stage, people[0])

    def send(number: int) -> None:
        if number % 4 == 3:
            address = f"/api/v1/users/{people[0]}/recommendations?filter={DATES.replace(' ', '%20')}"
            stage.web.ask("GET", address, token=browser, Origin=ORIGIN)
            return
        text = ALLOWED if number % 4 == 2 else PERSONAL
        names = ",".join(f'"{each}"' for each in people)
        body = f'{{"user_ids":[{names}],"filter":"{text}"}}'.encode()
        stage.web.ask("POST", BATCH, token=stage.cast.acme.admin.token, body=body, Content_Type="application/json")

    with _senders(send):
        yield


@contextlib.contextmanager
def large_bodies(stage: Any) -> Iterator[None]:
    """Eight senders of 5 MiB of nothing, half of them without credentials."""

    def send(number: int) -> None:
        path, token = (
            ("/api/v1/events/batch", stage.cast.acme.admin.token) if number % 2 else ("/api/v1/auth/token", "")
        )
        stage.web.ask("POST", path, token=token, body=BODY, Content_Type="application/json")

    with _senders(send):
        yield


@contextlib.contextmanager
def _senders(send: Callable[[int], None]) -> Iterator[None]:
    stop = threading.Event()

    def go_on(number: int) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):  # whoever is cut off comes again
                send(number)
            stop.wait(PAUSE_SECONDS)

    threads = [threading.Thread(target=go_on, args=(number,), daemon=True) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


def _browser(stage: Any, user_id: str) -> str:
    now = clock.now()
    return access_tokens.mint_for_user(
        principal=access_tokens.verify(stage.cast.acme.admin.token, now=now),
        user_id=user_id,
        origin=ORIGIN,
        scopes={"recommendations:read"},
        seconds=900,
        now=now,
    ).token
