"""Each sample file of the documentation is imported with one command, and stored as the documentation says."""

import re
import shlex
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, load_command_class

from accounts.tenancy import scope
from recommendations.imports.mapping.presets import PRESETS
from recommendations.imports.models import Import
from recommendations.models import EndUser, Interaction, Item
from tests.size import some

SAMPLES = Path("docs/samples")
# Sample, options, and counts of its rows.
COMMANDS: list[tuple[str, str, dict[str, Any], dict[str, int]]] = [
    ("items", "items.csv", {}, {"created": 5}),
    ("users", "users.csv", {}, {"created": 3}),
    ("events", "events.csv", {}, {"created": 5}),
    (
        "items",
        "shop-export.csv",
        {"map": ["id=item_id", "name=title", "category=categories"], "extra": "attributes"},
        {"created": 3},
    ),
    (
        "events",
        "shop-orders.csv",
        {
            "map": ["customer=user_id", "sku=item_id", "date=occurred_at", "amount=value", "order=context.order"],
            "default": ["type=purchase"],
            "timezone": "Europe/Berlin",
        },
        {"created": 3},
    ),
    *(
        (kind, name, {"preset": preset}, counts)
        for kind, name, preset, counts in (
            ("events", "amazon-personalize-interactions.csv", "amazon-personalize", {"created": 4}),
            ("items", "amazon-personalize-items.csv", "amazon-personalize", {"created": 3}),
            ("users", "amazon-personalize-users.csv", "amazon-personalize", {"created": 2}),
            ("events", "google-retail-events.json", "google-retail", {"created": 4, "skipped": 2}),
            ("items", "google-retail-products.json", "google-retail", {"created": 2}),
            ("items", "shopify-products.csv", "shopify", {"created": 2, "duplicate": 3}),
            ("events", "ga4-events.json", "ga4", {"created": 3, "skipped": 1}),
            ("events", "movielens-ratings.csv", "movielens", {"created": 3}),
            ("items", "movielens-movies.csv", "movielens", {"created": 3}),
            ("events", "movielens-1m-ratings.dat", "movielens-1m", {"created": 3}),
            ("items", "movielens-1m-movies.dat", "movielens-1m", {"created": 3}),
            ("events", "movielens-100k-ratings.data", "movielens-100k", {"created": 2}),
            ("items", "movielens-100k-movies.item", "movielens-100k", {"created": 2}),
            ("events", "lastfm-1k-plays.tsv", "lastfm-1k", {"created": 3}),
            ("events", "lastfm-360k-plays.tsv", "lastfm-360k", {"created": 2}),
            ("events", "lastfm-hetrec-user-artists.dat", "lastfm-hetrec", {"created": 2}),
            ("items", "lastfm-hetrec-artists.dat", "lastfm-hetrec", {"created": 2}),
            ("items", "recombee-items.csv", "recombee", {"created": 2}),
            ("users", "recombee-users.csv", "recombee", {"created": 2}),
            ("events", "recombee-detail-views.json", "recombee", {"created": 2}),
            ("events", "recombee-purchases.csv", "recombee-purchases", {"created": 1}),
            ("items", "algolia-records.json", "algolia", {"created": 2}),
            ("events", "algolia-events.csv", "algolia", {"created": 2}),
            ("events", "algolia-insights.json", "algolia", {"created": 2, "skipped": 1}),
            ("events", "gorse-feedback.csv", "gorse", {"created": 2}),
            ("items", "gorse-items.csv", "gorse", {"created": 2}),
            ("users", "gorse-users.csv", "gorse", {"created": 2}),
        )
    ),
]


@pytest.fixture
def imported(cast):
    """Imports a sample by one command; returns its counts."""

    def run(kind, name, options):
        call_command(
            "import_data",
            tenant="acme",
            no_build=True,
            stdout=StringIO(),
            stderr=StringIO(),
            **{kind: SAMPLES / name},
            **options,
        )
        with scope.tenant(cast.acme.tenant.pk):
            job = Import.objects.latest("pk")
        return {name: getattr(job, name) for name in (*Import.COUNTS, "skipped") if getattr(job, name)}

    return run


@pytest.mark.parametrize(
    ("kind", "name", "options", "counts"), some(COMMANDS), ids=[command[1] for command in COMMANDS]
)
def test_a_sample_is_imported_by_one_command_and_a_second_time_changes_nothing(imported, kind, name, options, counts):
    assert imported(kind, name, options) == counts

    again = imported(kind, name, options)

    assert "created" not in again
    assert "updated" not in again
    assert "rejected" not in again


def test_every_sample_and_most_presets_are_tried():
    assert {command[1] for command in COMMANDS} == {path.name for path in SAMPLES.iterdir()}
    tried = {command[2].get("preset") for command in COMMANDS}
    assert {"recombee-cart-additions", "recombee-bookmarks", "recombee-ratings", "recombee-view-portions"} == (
        PRESETS.keys() - tried
    )


def sample(imported, name):
    """Imports the sample of this name."""
    kind, _, options, _ = next(command for command in COMMANDS if command[1] == name)
    imported(kind, name, options)


def items_of(cast):
    with scope.tenant(cast.acme.tenant.pk):
        return {item.item_id: item for item in Item.objects.all()}


def events_of(cast):
    with scope.tenant(cast.acme.tenant.pk):
        rows = Interaction.objects.order_by("id")
        return list(rows.values_list("end_user__user_id", "item__item_id", "type__name", "value", "occurred_at"))


def at(year, month, day, hour=0, minute=0, second=0, microsecond=0):
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)


class TestStoredRows:
    def test_of_shopify_are_products_not_variants(self, cast, imported):
        sample(imported, "shopify-products.csv")
        shirt, hat = items_of(cast)["striped-shirt"], items_of(cast)["old-hat"]

        assert (shirt.title, shirt.description) == ("Striped shirt", "Of cotton & linen.")
        assert shirt.categories == ["Shirt", "Shirts", "summer", "cotton"]
        assert shirt.attributes == {
            "vendor": "Fjord",
            "price": 29.0,
            "sku": "SH-S",
            "image": "https://cdn.example/shirt-1.jpg",
        }
        assert (shirt.hidden, hat.hidden) == (False, True)

    def test_of_ga4_are_an_event_for_each_item(self, cast, imported):
        sample(imported, "ga4-events.json")

        assert events_of(cast) == [
            ("1234567.890", "kettle-1", "view", 39.9, at(2024, 3, 1, 8, 51, 0, 123456)),
            ("anna", "kettle-1", "purchase", 39.9, at(2024, 3, 1, 9, 0)),
            ("anna", "mug-3", "purchase", 8.0, at(2024, 3, 1, 9, 0)),
        ]

    def test_of_google_retail(self, cast, imported):
        sample(imported, "google-retail-events.json")
        sample(imported, "google-retail-products.json")
        kettle = items_of(cast)["kettle-1"]

        assert [event[:3] for event in events_of(cast)] == [
            ("v-1", "kettle-1", "view"),
            ("anna", "kettle-1", "purchase"),
            ("anna", "mug-3", "purchase"),
            ("v-2", "teapot-2", "cart"),
        ]
        assert kettle.attributes["colour"] == ["silver"]
        assert (kettle.attributes["watts"], kettle.attributes["price"]) == (2200, 39.9)

    def test_of_personalize(self, cast, imported):
        sample(imported, "amazon-personalize-interactions.csv")
        sample(imported, "amazon-personalize-users.csv")

        assert [event[2] for event in events_of(cast)] == ["view", "purchase", "consume", "cart"]
        assert events_of(cast)[0][4] == at(2024, 3, 1, 8, 50)
        with scope.tenant(cast.acme.tenant.pk):
            assert EndUser.objects.get(user_id="u-1").attributes == {"AGE": 34, "MEMBERSHIP_TYPE": "Family"}

    def test_of_movielens(self, cast, imported):
        for name in ("movielens-1m-movies.dat", "movielens-100k-movies.item", "movielens-1m-ratings.dat"):
            sample(imported, name)

        assert items_of(cast)["1193"].title == "Misérables, Les (1995)"
        assert items_of(cast)["302"].categories == ["Crime", "Film-Noir", "Mystery", "Thriller"]
        assert events_of(cast)[0] == ("1", "1193", "rating", 5.0, at(2000, 12, 31, 22, 12, 40))

    def test_of_algolia(self, cast, imported):
        for name in ("algolia-records.json", "algolia-events.csv", "algolia-insights.json"):
            sample(imported, name)

        assert items_of(cast)["kettle-1"].attributes == {
            "brand": "Hearth",
            "price": 39.9,
            "free_shipping": True,
            "rating": 4,
        }
        assert [(event[2], event[4]) for event in events_of(cast)] == [
            ("click", at(2024, 3, 1, 8, 30)),
            ("purchase", at(2024, 3, 1)),
            ("cart", at(2024, 3, 1, 8, 50, 0, 250_000)),
            ("cart", at(2024, 3, 1, 8, 50, 0, 250_000)),
        ]

    def test_of_recombee_gorse_and_lastfm(self, cast, imported):
        for name in ("recombee-items.csv", "gorse-feedback.csv", "lastfm-1k-plays.tsv"):
            sample(imported, name)

        assert items_of(cast)["kettle-1"].categories == ["Kitchen", "Kettles"]
        assert [event[2] for event in events_of(cast)] == ["like", "view", "consume", "consume", "consume"]

    def test_of_a_shop_of_ones_own(self, cast, imported):
        sample(imported, "shop-export.csv")
        sample(imported, "shop-orders.csv")

        assert items_of(cast)["P-102"].attributes == {"price": 8.0, "colour": "blue", "stock": 140}
        assert events_of(cast)[0] == ("c-17", "P-100", "purchase", 39.9, at(2026, 3, 1, 8, 41, 12))


class TestThePage:
    """docs/importing.md: each of its commands does what it is there for."""

    PAGE = Path("docs/importing.md").read_text()

    def commands(self):
        blocks = re.findall(r"```bash\n(.*?)```", self.PAGE, re.DOTALL)
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        found = [line.partition("import_data ")[2] for line in lines if "import_data" in line]
        rows = [line for line in self.PAGE.splitlines() if line.startswith("|")]
        return found + [
            f"--tenant SLUG {each}" for row in rows for each in re.findall(r"`(--preset [^`]+--[^`]+)`", row)
        ]

    def test_every_command_is_one_that_is_tried_here(self):
        parser = load_command_class("recommendations", "import_data").create_parser("manage.py", "import_data")
        known = [(kind, name, options) for kind, name, options, _ in COMMANDS]
        said = ("map", "default", "timezone", "extra", "preset")

        told = [vars(parser.parse_args(shlex.split(command))) for command in self.commands()]

        imported = [
            (kind, options[kind].name, {name: options[name] for name in said if options[name]})
            for options in told
            for kind in ("items", "users", "events")
            if options[kind]
        ]
        assert [each for each in imported if each not in known] == []
        assert {name for _, name, _ in imported} == {path.name for path in SAMPLES.iterdir()}

    def test_names_every_preset_and_sample(self):
        families = {name for name in PRESETS if f"--preset {name} " in self.PAGE}

        assert {name for name in PRESETS if not name.startswith("recombee-")} <= families
        assert [path.name for path in SAMPLES.iterdir() if path.name not in self.PAGE] == []
