"""Walks to the end of a list, while near line makes it anew between all pages and a build is published in between.

Several people walk at once, each with other options. No walk shows an item twice, and every page but the last is full.
"""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from recommendations.pipeline.builds import publish
from recommendations.pipeline.nearline import rescore
from tests.core import web_process
from tests.drills.caller import Caller
from tests.recommendations.pipeline.generated import build_now, fill, happen
from tests.size import sized

pytestmark = [pytest.mark.drill, pytest.mark.timeout(300)]
PEOPLE, ITEMS, PAGE, WALKS = 24, 480, 4, 8
ROUNDS = sized(short=1, long=10)
# A walk ends after a hundred items. Each filter is met by a quarter of all items or by half of them.
OPTIONS = [
    "",
    "&category=kind%201",
    "&filter=%22kind%202%22%20in%20categories%20or%20%22kind%201%22%20in%20categories",
    "&exclude=i0001&exclude=i0005&exclude=i0009&category=kind%201",
]


@pytest.fixture
def acme(committed_db, cast):
    fill(cast.acme.tenant, people=PEOPLE, items=ITEMS)
    build_now(cast.acme.tenant)
    return cast.acme


class Walk:
    """One person's walk."""

    def __init__(self, caller, user_id, options):
        self.user_id = user_id
        self._caller = caller
        self._url = f"/users/{user_id}/recommendations?limit={PAGE}{options}"
        self.cursor = ""
        self.pages = []
        self.lists = set()

    @property
    def ended(self):
        return self.cursor is None

    def step(self):
        answer = self._caller.get(self._url + (f"&cursor={self.cursor}" if self.cursor else ""))
        self.pages.append([entry["item_id"] for entry in answer["items"]])
        self.lists.add(answer["generated_at"])
        self.cursor = answer["next"]


def walk_together(stack, web, acme, number):
    """Of half the walkers near line makes the lists anew at each page; those of the others a build that is published
    midway. Returns the walks, and how often near line wrote."""
    tenant = acme.tenant
    people = [f"u{(number * WALKS + place) % PEOPLE:04d}" for place in range(WALKS)]
    callers = [stack.enter_context(Caller(web.port, acme.admin.token)) for _ in people]
    walks = [
        Walk(caller, name, OPTIONS[place // 2 % 4])
        for place, (caller, name) in enumerate(zip(callers, people, strict=True))
    ]
    lively, quiet = walks[::2], walks[1::2]
    for walk in quiet:  # nobody scores them before the build does
        happen(tenant, walk.user_id, *(f"i{place:04d}" for place in range(number, ITEMS, 37)))
    coming = build_now(tenant, until="scored")
    updates = 0

    def update(page):
        rows = [happen(tenant, walk.user_id, walk.pages[-1][page % PAGE]) for walk in lively if not walk.ended]
        return rescore.rescore(tenant_id=tenant.pk, user_pks=[row.pk for row in rows]) if rows else 0

    with ThreadPoolExecutor(len(walks)) as pool:
        page = 0
        while going := [walk for walk in walks if not walk.ended]:
            list(pool.map(Walk.step, going))
            if page == 10:
                publish.publish_step(tenant_id=tenant.pk, build_id=coming.pk)
            updates += update(page) > 0
            page += 1
    return walks, updates


def test_no_item_twice_and_every_page_but_the_last_full(acme, tmp_path):
    walked = 0
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(web_process.serving(tmp_path, WEB_CONCURRENCY="2"))
        for number in range(ROUNDS):
            walks, updates = walk_together(stack, web, acme, number)
            assert updates >= 20
            for walk in walks:
                shown = [item_id for page in walk.pages for item_id in page]
                assert len(shown) == len(set(shown)), f"{walk.user_id} saw an item twice"
                assert all(len(page) == PAGE for page in walk.pages[:-1]), f"{walk.user_id}: {walk.pages}"
                assert len(shown) == 100
            assert all(len(walk.lists) >= 2 for walk in walks), "somebody's list was not made anew"
            walked += len(walks)
    print(f"{walked} walks of 100 items, each during a publish and {updates} updates by near line: no item twice")


def test_by_place_it_would_show_items_twice(acme, tmp_path):
    """The proof that the drill can fail."""
    with contextlib.ExitStack() as stack:
        application = "tests.drills.lists.unguarded_walks:application"
        web = stack.enter_context(web_process.serving(tmp_path, application, WEB_CONCURRENCY="2"))
        walks, _ = walk_together(stack, web, acme, 0)

    twice = [walk for walk in walks if len({each for page in walk.pages for each in page}) < sum(map(len, walk.pages))]
    assert twice
