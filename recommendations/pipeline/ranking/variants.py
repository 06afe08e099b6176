"""Selects the rules and model for each user: those of their experiment arm, otherwise the placement's defaults.

An arm may have rules of its own (a version's), an artefact of its own, and no AI. Builds assign every user anew; near
line keeps the arm that the stored list names, so that a list and its arm change together. An arm whose artefact cannot
be read has no users until it can: outcomes are counted only for users that got its lists.
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
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.models import Artefact
from recommendations.pipeline.ranking import generate
from recommendations.pipeline.ranking.generate import GeneratedLists
from recommendations.placements.rules import PLAIN, PlacementRules
from recommendations.placements.versions import rules_of_versions, stored_rules

Labels = Sequence[str | None]
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


def load_assignments(
    *, tenant_id: int, placements: Sequence[int], versions: Mapping[str, int | None], loaded: Loaded
) -> dict[int, VariantAssignment]:
    """The current assignments at these placements, for a build or snapshot with these versions and this artefact."""
    with scope.tenant(tenant_id):
        rules = rules_of_versions(tenant_id=tenant_id, versions=versions)
        running = {pk: assignment.running_assignment(tenant_id=tenant_id, placement_id=pk) for pk in placements}
        own_artefacts = {arm.artefact_id for each in running.values() if each for arm in each.arms if arm.artefact_id}
        files = dict(Artefact.objects.filter(tenant_id=tenant_id, pk__in=own_artefacts).values_list("pk", "file"))
    artefacts = {loaded.artefact_id: loaded} | {
        pk: artefact for pk, file in files.items() if pk != loaded.artefact_id and (artefact := _load_or_none(pk, file))
    }
    return {pk: _assignment(rules.get(pk, PLAIN), running[pk], loaded, artefacts) for pk in placements}


def generate_by_variant(
    *,
    tenant_id: int,
    users: Sequence[UserProfile],
    assignments: Mapping[int, VariantAssignment],
    labels: Mapping[int, Labels],
    texts: bool,
    now: datetime,
    locale: str,
) -> GeneratedLists[int]:
    """Generates every user's lists at these placements; `labels` are the users' arms there, in their order."""
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
        )
        for key, indices in group.items():
            drafts[key[0]] |= {index: generated.drafts[key][position[index]] for index in indices}
        facts |= generated.facts
        available |= generated.available
    ordered = {placement: {index: found[index] for index in sorted(found)} for placement, found in drafts.items()}
    return GeneratedLists(ordered, facts, available)


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
