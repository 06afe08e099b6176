"""The lists that a version's rules would have made when those were made that people saw.

Each is made by the code of builds: from the artefact that the shown list was made with, which had not learnt from what
came of it, and from the person's events that had arrived before. The catalogue, people's attributes and what is popular
are those of now.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.estimation.logged_pages import LoggedImpression
from recommendations.estimation.page_probabilities import Target
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries, profiles
from recommendations.pipeline.models import Artefact
from recommendations.pipeline.ranking import generate, pins
from recommendations.placements.models import Placement
from recommendations.placements.rules import PlacementRules

# Lists made at once. Of one person they are made in different turns: a turn has one history of each.
_AT_ONCE = 256
# A list's moment is cut to the second, and what had arrived within it may have been read.
_WITHIN = timedelta(seconds=1)
_log = structlog.get_logger(__name__)
# A list that was shown: whose, when it was made, and what with.
Context = tuple[int, datetime, int]


@dataclass(slots=True)
class TargetListMaker:
    """The lists of one version of a placement's rules; `artefacts` remembers which can be read."""

    place: Placement
    rules: PlacementRules
    locale: str
    files: Mapping[int, str]
    loaded: dict[int, Loaded | None] = field(default_factory=dict)

    def make(self, logged: Iterable[LoggedImpression], *, seconds: float) -> dict[Context, Target]:
        """A target for each list that pages were cut from, as far as there is time; the first people's come first.

        Lists whose artefact is gone, and people who are, have none.
        """
        until = time.monotonic() + seconds
        found: dict[Context, Target] = {}
        for turn in _turns(logged):
            if time.monotonic() > until:
                break
            groups: dict[tuple[int, datetime], list[Context]] = defaultdict(list)
            for context in turn:
                groups[context[2], context[1].replace(hour=0, minute=0, second=0)].append(context)
            for (artefact, _), contexts in sorted(groups.items()):
                if (loaded := self._loaded(artefact)) is not None:
                    found |= self._made(loaded, contexts)
        return found

    def unreadable_artefacts(self) -> set[int | None]:
        """The artefacts that were looked for and cannot be read any more; that of lists made without one among them."""
        return {None, *(artefact for artefact, loaded in self.loaded.items() if loaded is None)}

    def _made(self, loaded: Loaded, contexts: Sequence[Context]) -> dict[Context, Target]:
        """One list a person, all made on one day."""
        tenant_id, now = self.place.tenant_id, max(made_at for _, made_at, _ in contexts)
        whose = {context[0]: context for context in contexts}
        untils = {person: made_at + _WITHIN for person, made_at, _ in contexts}
        found = profiles.read_users(tenant_id=tenant_id, pks=list(whose), untils=untils)
        placed = generate.generate_lists(
            tenant_id=tenant_id,
            loaded=loaded,
            users=found,
            rules={0: self.rules},
            texts=False,
            now=now,
            locale=self.locale,
        )
        made = {}
        for index, person in enumerate(found):
            draft, own = placed.drafts[0][index], person.locale or self.locale
            draft = replace(draft, entries=pins.apply_pins(draft.entries, self.rules, placed.available, own))
            reading = pins.read_time_rules(self.rules, placed.available, own)
            item_ids = tuple(entry.item_id for entry in draft.entries)
            made[whose[person.pk]] = Target(item_ids, draft.chance, reading)
        return made

    def _loaded(self, artefact: int) -> Loaded | None:
        if artefact not in self.loaded:
            self.loaded[artefact] = self._read(artefact)
        return self.loaded[artefact]

    def _read(self, artefact: int) -> Loaded | None:
        if artefact not in self.files:
            return None
        try:
            alone = store.load(artefact_id=artefact, file=self.files[artefact])
        except (OSError, UnreadableArtefact) as error:
            _log.warning("artefact_unreadable", artefact=artefact, error=str(error))
            return None
        build = self.place.active_build
        if build is None or build.artefact_id != artefact:
            return alone
        return live.with_fresh_items(alone, tenant_id=self.place.tenant_id, build_id=build.pk)


def target_list_maker(place: Placement, rules: PlacementRules) -> TargetListMaker:
    """Return a maker of the placement's lists by these rules. Inside the tenant's scope."""
    files = dict(Artefact.objects.filter(tenant_id=place.tenant_id).values_list("pk", "file"))
    return TargetListMaker(place, rules, entries.tenant_locale(place.tenant_id), files)


def context_of(impression: LoggedImpression) -> Context | None:
    """The list that a page was cut from; None where nothing says what it was made with."""
    page = impression.page
    return None if page.artefact is None else (impression.person, impression.made_at, page.artefact)


def _turns(logged: Iterable[LoggedImpression]) -> Iterator[list[Context]]:
    """The lists of the first so many people, then of the next; of each person one a turn."""
    waiting: dict[int, list[Context]] = {}
    for each in logged:
        context = context_of(each)
        if context is None or context in waiting.get(each.person, ()):
            continue
        if len(waiting) >= _AT_ONCE and each.person not in waiting:
            yield from _rounds(waiting)
            waiting = {}
        waiting.setdefault(each.person, []).append(context)
    yield from _rounds(waiting)


def _rounds(waiting: Mapping[int, Sequence[Context]]) -> Iterator[list[Context]]:
    for number in range(max(map(len, waiting.values()), default=0)):
        yield [contexts[number] for contexts in waiting.values() if number < len(contexts)]
