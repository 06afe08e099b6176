"""Whose lists are made how: by the arm of the running experiment that somebody is in, else as the placement says.

An arm may have rules of its own (a version's), an artefact of its own, and no AI. Builds draw everybody's arm anew;
near line goes by the arm that the held list names, so that a list and its arm change together. An arm whose artefact
cannot be read has no people until it can: nobody is counted for what they did not get.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from accounts.tenancy import scope
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.experiments import assignment
from recommendations.experiments.assignment import Assignment
from recommendations.experiments.models import ExperimentArm
from recommendations.pipeline.artefacts import store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import Person
from recommendations.pipeline.models import Artefact
from recommendations.pipeline.ranking import generate
from recommendations.placements.rules import PLAIN, PlacementRules
from recommendations.placements.versions import rules_of_versions, stored_rules

Labels = Sequence[str | None]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """How lists are made. `ai`: whether AI may work on them, as far as rules and arm say."""

    rules: PlacementRules
    loaded: Loaded
    ai: bool


@dataclass(frozen=True, slots=True)
class Following:
    """One placement's ways in one build or snapshot: the usual one, and one for each arm of its experiment."""

    usual: Way
    experiment: Assignment | None = None
    arms: Mapping[str, Way] = field(default_factory=dict)

    def label_of(self, user_id: str) -> str | None:
        """The arm of the running experiment that the person's next list belongs to."""
        label = self.experiment.arm_of(user_id) if self.experiment else None
        return label if label in self.arms else None

    def way(self, label: str | None) -> Way:
        """How the lists of an arm are made; of none, or of one that is no more, as usual."""
        return self.arms.get(label or "", self.usual)

    def still(self, label: str) -> str:
        """The label that a list keeps when it is made anew; none where its experiment has ended."""
        return "" if ExperimentArm.labelled(label) and label not in self.arms else label


@dataclass(frozen=True, slots=True)
class Made:
    """Lists by placement, in the order of the people, the facts that reasons rest on, and which items may be shown."""

    drafts: Mapping[int, list[Draft]]
    facts: Mapping[str, ItemFacts]
    shown: frozenset[str]


def followings(
    *, tenant_id: int, placements: Sequence[int], versions: Mapping[str, int | None], loaded: Loaded
) -> dict[int, Following]:
    """How lists are made at these placements now, by a build or snapshot with these versions and this artefact."""
    with scope.tenant(tenant_id):
        usual = rules_of_versions(tenant_id=tenant_id, versions=versions)
        running = {pk: assignment.running(tenant_id=tenant_id, placement_id=pk) for pk in placements}
        pinned = {arm.artefact_id for each in running.values() if each for arm in each.arms if arm.artefact_id}
        files = dict(Artefact.objects.filter(tenant_id=tenant_id, pk__in=pinned).values_list("pk", "file"))
    read = {loaded.artefact_id: loaded} | {
        pk: found for pk, file in files.items() if pk != loaded.artefact_id and (found := _read(pk, file))
    }
    return {pk: _following(usual.get(pk, PLAIN), running[pk], loaded, read) for pk in placements}


def make(
    *,
    tenant_id: int,
    people: Sequence[Person],
    follow: Mapping[int, Following],
    labels: Mapping[int, Labels],
    texts: bool,
    now: datetime,
    locale: str,
) -> Made:
    """Everybody's lists at these placements; `labels` are the people's arms there, in their order."""
    groups: dict[int, dict[tuple[int, str], list[int]]] = {}
    ways: dict[tuple[int, str], Way] = {}
    for placement, each in follow.items():
        for index, label in enumerate(labels[placement]):
            key = (placement, label if label and label in each.arms else "")
            way = ways.setdefault(key, each.way(label))
            groups.setdefault(way.loaded.artefact_id, {}).setdefault(key, []).append(index)
    drafts: dict[int, dict[int, Draft]] = {placement: {} for placement in follow}
    facts: dict[str, ItemFacts] = {}
    shown: frozenset[str] = frozenset()
    for group in groups.values():
        chosen = sorted({index for indices in group.values() for index in indices})
        local = {index: place for place, index in enumerate(chosen)}
        placed = generate.place(
            tenant_id=tenant_id,
            loaded=ways[next(iter(group))].loaded,
            people=[people[index] for index in chosen],
            rules={key: ways[key].rules for key in group},
            whose={key: [local[index] for index in indices] for key, indices in group.items()},
            texts=texts,
            now=now,
            locale=locale,
        )
        for key, indices in group.items():
            drafts[key[0]] |= {index: placed.drafts[key][local[index]] for index in indices}
        facts |= placed.facts
        shown |= placed.shown
    everybody = range(len(people))
    in_order = {placement: [found[index] for index in everybody] for placement, found in drafts.items()}
    return Made(in_order, facts, shown)


def _following(
    usual: PlacementRules, experiment: Assignment | None, loaded: Loaded, read: Mapping[int, Loaded]
) -> Following:
    arms = {}
    for arm in experiment.arms if experiment else ():
        if (own := read.get(arm.artefact_id or loaded.artefact_id)) is None:
            _log.error("arm_without_artefact", arm=arm.label, artefact=arm.artefact_id)
            continue
        rules = usual if arm.rules is None else stored_rules(arm.rules)
        arms[arm.label] = Way(rules, own, arm.ai and rules.ai)
    return Following(Way(usual, loaded, usual.ai), experiment, arms)


def _read(artefact_id: int, file: str) -> Loaded | None:
    try:
        return store.load(artefact_id=artefact_id, file=file)
    except (OSError, UnreadableArtefact) as error:
        _log.error("artefact_unreadable", artefact=artefact_id, error=str(error))
        return None
