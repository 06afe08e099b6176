"""Measures expensive filters: the four requests of a hostile caller, against a catalogue of 10,000 items.

    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.filters 10000

Prints one line of JSON: for each request its status and seconds.
"""

import json
import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.tenancy import scope  # noqa: E402
from accounts.tokens import access_tokens  # noqa: E402
from core import clock  # noqa: E402
from recommendations.models import EndUser, Item  # noqa: E402
from tests.cast import make_cast  # noqa: E402

PERSONAL = " or ".join(f"attributes.t{n} contains user.attributes.l" for n in range(40))
DATES = " or ".join(
    f"attributes.year in [{', '.join(f'{1900 + year}-01-0{part}' for year in range(76))}]" for part in (1, 2)
)
SHARED = " or ".join(f"attributes.t{n} in [{', '.join(str(value) for value in range(90))}]" for n in range(6))
URL = "/api/v1/users/{}/recommendations"


def main(count: int) -> None:
    """Fills a catalogue and asks."""
    call_command("migrate", verbosity=0)
    cast = make_cast()
    tenant = cast.acme.tenant
    told = {f"t{n}": f"some text about {n}" for n in range(40)}
    with scope.tenant(tenant.pk):
        Item.objects.bulk_create(
            [
                Item(tenant=tenant, item_id=f"i{n}", title=f"Item {n}", attributes={**told, "year": f"19{n % 90 + 10}"})
                for n in range(count)
            ]
        )
        people = [f"p{n}" for n in range(100)]
        words = [f"word {n} that is nowhere" for n in range(100)]
        EndUser.objects.bulk_create(
            [EndUser(tenant=tenant, user_id=each, attributes={"l": [*words[1:], each]}) for each in people]
        )
    http, figures = cast.acme.http, {}

    def ask(name: str, send) -> None:
        started = time.perf_counter()
        answer = send()
        took = round(time.perf_counter() - started, 3)
        figures[name] = [answer.status_code, took, answer.json().get("detail", "")[:100]]

    ask("person, 40 contains", lambda: http.get(URL.format("p0"), {"filter": PERSONAL}))
    batch = {"user_ids": people[:12], "filter": PERSONAL}
    ask("batch of 12, 40 contains", lambda: http.post("/api/v1/recommendations/batch", batch, format="json"))
    ask("literals, dates in lists", lambda: http.get(URL.format("p0"), {"filter": DATES}))
    ask("lists of 90", lambda: http.get(URL.format("p0"), {"filter": SHARED}))
    few = " or ".join(f"attributes.t{n} contains user.attributes.l" for n in range(4))
    ask("person, as much as is taken", lambda: http.get(URL.format("p0"), {"filter": few}))
    batch = {"user_ids": people, "filter": "attributes.t1 contains user.user_id or attributes.t2 contains 'x'"}
    ask("batch of 100, small", lambda: http.post("/api/v1/recommendations/batch", batch, format="json"))
    origin = "https://shop.example.org"
    token = access_tokens.mint_for_user(
        principal=access_tokens.verify(cast.acme.admin.token, now=clock.now()),
        user_id="p0",
        origin=origin,
        scopes={"recommendations:read"},
        seconds=900,
        now=clock.now(),
    ).token
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token}", "HTTP_ORIGIN": origin}
    ask("browser, dates in lists", lambda: cast.anonymous.get(URL.format("p0"), {"filter": DATES}, **headers))
    small = "categories contains 'Drama' and attributes.year in ['1990', '1991']"
    ask("browser, small", lambda: cast.anonymous.get(URL.format("p0"), {"filter": small}, **headers))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
