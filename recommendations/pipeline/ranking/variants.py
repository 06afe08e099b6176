"""Selects the rules and model for each user: those of their experiment arm, otherwise the placement's defaults.

An arm may have rules of its own (a version's), an artefact of its own, and no AI. Builds assign every user anew; near
line keeps the arm that the stored list names, so that a list and its arm change together. An arm whose artefact cannot
be read has no users until it can: outcomes are counted only for users that got its lists.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import structlog
from django.db import connection

from accounts.tenancy import scope
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.experiments import assignment
from recommendations.experiments.assignment import Assignment
from recommendations.experiments.models import Experiment, ExperimentArm
from recommendations.pipeline.artefacts import store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.models import Artefact
from recommendations.pipeline.ranking import generate
from recommendations.pipeline.ranking.generate import GeneratedLists
from recommendations.placements.rules import PLAIN, PlacementRules
from recommendations.placements.versions import stored_rules

Labels = Sequence[str | None]
# True for a placement whose users have arms now; `{}` is its primary key. Takes `tenant` and `assigning`.
RUNS_EXPERIMENT = """EXISTS (
        SELECT FROM recommendations_experiment AS running WHERE running.tenant_id = %(tenant)s
            AND running.placement_id = {} AND running.status = ANY (%(assigning)s)
    )"""
ASSIGNING = [each.value for each in Experiment.ASSIGNING]
_SETTINGS = f"""
    SELECT wanted.placement, version.rules::text, {RUNS_EXPERIMENT.format("wanted.placement")}
    FROM unnest(%(placements)s::bigint[], %(versions)s::bigint[]) AS wanted (placement, version)
    LEFT JOIN recommendations_placementversion AS version
        ON version.id = wanted.version AND version.tenant_id = %(tenant)s
"""  # noqa: S608  # constants only
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ListRecipe:
    """A recipe for lists: rules, artefact, and `ai`, true if rules and arm allow AI."""

    rules: PlacementRules
    loaded: Loaded
    ai: bool


@dataclass(frozen=True, slots=True)
class VariantAssignment:
    """The recipes of a placement in one build or snapshot: the default, and one for each arm of its experiment."""

    default: ListRecipe
    experiment: Assignment | None = None
    arms: Mapping[str, ListRecipe] = field(default_factory=dict)

    def label_of(self, user_id: str) -> str | None:
        """The arm of the running experiment that the user's next list belongs to."""
        label = self.experiment.arm_of(user_id) if self.experiment else None
        return label if label in self.arms else None

    def recipe_for(self, label: str | None) -> ListRecipe:
        """The recipe of an arm; the default for no arm and for one that has ended."""
        return self.arms.get(label or "", self.default)

    def kept_label(self, label: str) -> str:
        """The label that a list keeps when it is replaced; empty if its experiment has ended."""
        return "" if ExperimentArm.labelled(label) and label not in self.arms else label


@dataclass(frozen=True, slots=True)
class PlacementSettings:
    """Rules and running experiments by placement, and the files of the artefacts that arms name."""

    rules: Mapping[int, PlacementRules]
    experiments: Mapping[int, Assignment]
    files: Mapping[int, str]

    def load_artefacts(self) -> dict[int, Loaded]:
        """Loads the arms' own artefacts, as far as they can be read. No scope is open: it may take seconds."""
        found = ((pk, _load_or_none(pk, file)) for pk, file in self.files.items())
        return {pk: loaded for pk, loaded in found if loaded is not None}

    def assignments(self, loaded: Loaded, artefacts: Mapping[int, Loaded]) -> dict[int, VariantAssignment]:
        """The assignments of lists that are made with this artefact; `artefacts` are the arms' own."""
        known = {**artefacts, loaded.artefact_id: loaded}
        return {pk: _assignment(rules, self.experiments.get(pk), loaded, known) for pk, rules in self.rules.items()}


def settings_of(*, tenant_id: int, rows: Sequence[tuple[int, str | None, bool]]) -> PlacementSettings:
    """The settings of placements, given their rules as text and RUNS_EXPERIMENT. Call it in the tenant's scope."""
    rules = {pk: PLAIN if stored is None else _parsed_rules(stored) for pk, stored, _ in rows}
    found = {pk: assignment.running_assignment(tenant_id=tenant_id, placement_id=pk) for pk, _, runs in rows if runs}
    experiments = {pk: each for pk, each in found.items() if each is not None}
    named = {arm.artefact_id for each in experiments.values() for arm in each.arms if arm.artefact_id}
    files: dict[int, str] = {}
    if named:
        files = dict(Artefact.objects.filter(tenant_id=tenant_id, pk__in=named).values_list("pk", "file"))
    return PlacementSettings(rules, experiments, files)


def load_assignments(
    *, tenant_id: int, placements: Sequence[int], versions: Mapping[str, int | None], loaded: Loaded
) -> dict[int, VariantAssignment]:
    """The current assignments at these placements, for a build or snapshot with these versions and this artefact."""
    wanted = [versions.get(str(pk)) for pk in placements]
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "placements": list(placements),
        "versions": wanted,
        "assigning": ASSIGNING,
    }
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_SETTINGS, parameters)
        settings = settings_of(tenant_id=tenant_id, rows=cursor.fetchall())
    return settings.assignments(loaded, settings.load_artefacts())


def generate_by_variant(
    *,
    tenant_id: int,
    users: Sequence[UserProfile],
    assignments: Mapping[int, VariantAssignment],
    labels: Mapping[int, Labels],
    texts: bool,
    now: datetime,
    locale: str,
    withdrawn: Sequence[str] | None = None,
) -> GeneratedLists[int]:
    """Generates every user's lists at these placements; `labels` are the users' arms there, in their order.

    `withdrawn` are the items that are withdrawn at `now`, if the caller has read them.
    """
    indices_by_artefact: dict[int, dict[tuple[int, str], list[int]]] = {}
    recipes: dict[tuple[int, str], ListRecipe] = {}
    for placement, variants in assignments.items():
        for index, label in enumerate(labels[placement]):
            key = (placement, label if label and label in variants.arms else "")
            recipe = recipes.setdefault(key, variants.recipe_for(label))
            indices_by_artefact.setdefault(recipe.loaded.artefact_id, {}).setdefault(key, []).append(index)
    drafts: dict[int, dict[int, Draft]] = {placement: {} for placement in assignments}
    facts: dict[str, ItemFacts] = {}
    available: frozenset[str] = frozenset()
    for group in indices_by_artefact.values():
        chosen = sorted({index for indices in group.values() for index in indices})
        position = {index: position for position, index in enumerate(chosen)}
        generated = generate.generate_lists(
            tenant_id=tenant_id,
            loaded=recipes[next(iter(group))].loaded,
            users=[users[index] for index in chosen],
            rules={key: recipes[key].rules for key in group},
            members={key: [position[index] for index in indices] for key, indices in group.items()},
            texts=texts,
            now=now,
            locale=locale,
            withdrawn=withdrawn,
        )
        for key, indices in group.items():
            drafts[key[0]] |= {index: generated.drafts[key][position[index]] for index in indices}
        facts |= generated.facts
        available |= generated.available
    ordered = {placement: {index: found[index] for index in sorted(found)} for placement, found in drafts.items()}
    return GeneratedLists(ordered, facts, available)


@lru_cache(maxsize=256)
def _parsed_rules(stored: str) -> PlacementRules:
    """Near line needs the same rules for each user."""
    return stored_rules(json.loads(stored))


def _assignment(
    rules: PlacementRules, experiment: Assignment | None, loaded: Loaded, artefacts: Mapping[int, Loaded]
) -> VariantAssignment:
    arms = {}
    for arm in experiment.arms if experiment else ():
        if (artefact := artefacts.get(arm.artefact_id or loaded.artefact_id)) is None:
            _log.error("arm_without_artefact", arm=arm.label, artefact=arm.artefact_id)
            continue
        arm_rules = rules if arm.rules is None else stored_rules(arm.rules)
        arms[arm.label] = ListRecipe(arm_rules, artefact, arm.ai and arm_rules.ai)
    return VariantAssignment(ListRecipe(rules, loaded, rules.ai), experiment, arms)


def _load_or_none(artefact_id: int, file: str) -> Loaded | None:
    try:
        return store.load(artefact_id=artefact_id, file=file)
    except (OSError, UnreadableArtefact) as error:
        _log.error("artefact_unreadable", artefact=artefact_id, error=str(error))
        return None
