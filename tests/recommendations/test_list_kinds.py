"""The registry of kinds of lists, and that all who work with kinds read it."""

import inspect

import pytest
from django.utils.module_loading import import_string

from recommendations import list_kinds
from recommendations.attribution import recommendation_ids
from recommendations.explanations.templates import LOCALES, explain
from recommendations.models import ReferenceList
from recommendations.placements.rule_validation import read_rules

KINDS = list_kinds.KINDS.values()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.stored], ids=lambda kind: kind.key)
def test_it_calls_an_existing_writer_when_a_build_stores_the_kind(kind):
    arguments = inspect.signature(import_string(kind.writer)).parameters

    owner = "chunk" if kind.belongs_to == list_kinds.ITEM_SUBJECT else "version"
    assert set(arguments) == {"build", "loaded", "now", "locale", owner}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_it_gives_a_reason_in_every_language_when_an_entry_has_only_its_kind(kind, locale):
    assert explain(part=kind.key, locale=locale)


def test_it_labels_a_served_list_by_the_key_of_its_kind():
    labels = [recommendation_ids.label(None, f"{key}:subject") for key in list_kinds.SERVED_KINDS]

    assert labels == [f"@{key}" for key in list_kinds.SERVED_KINDS]
    assert "@together" in labels


def test_rules_of_a_placement_name_every_kind_that_may_be_blended_or_replace_a_list():
    rules = read_rules({"kinds": [{"kind": key} for key in list_kinds.MIXED], "fallback": list(list_kinds.FALLBACKS)})

    assert [source.kind for source in rules.kinds] == list(list_kinds.MIXED)
    assert rules.fallback == tuple(list_kinds.FALLBACKS)


def test_staff_see_the_label_of_every_stored_kind():
    choices = dict(ReferenceList._meta.get_field("kind").flatchoices)

    assert choices == {kind.key: kind.label for kind in KINDS if kind.stored}


def test_every_fallback_is_a_kind_that_may_replace_a_list():
    named = {key for kind in KINDS for key in kind.fallback}

    assert named <= set(list_kinds.FALLBACKS)
