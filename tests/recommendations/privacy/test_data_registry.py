"""Every table that says something about a person is known to erasure, export and merge."""

from django.apps import apps

from recommendations.models import EndUser
from recommendations.privacy.data_registry import DATA_REGISTRY

# By table: the holding that erases its rows about a person. Whoever adds a table about people adds it here, and to
# HOLDINGS, and to what `known.py` knows of ADA.
ERASED_BY = {
    "AIAnswer": "ai_answers",
    "AIBatchQuestion": "ai_questions",
    "AISent": "ai_requests",
    "Exposure": "exposures",
    "FormerId": "former_ids",
    "Impression": "impressions",
    "Interaction": "events",
    "RelatedPeople": "related_people",
    "UserList": "lists",
}
# Words in which a column that is no foreign key names a person; a list's subject is an item.
NAMES = {"subject", "user_id", "person", "end_user_id", "user_pk"}
# A replay's subject is a family of tokens or the hash of a proof.
NOT_ABOUT_PEOPLE = {"EndUser", "ReferenceList", "ReplayAttempt", "User"}


def about_people():
    """Tables with a reference to an end user, or with a column that is called like one."""
    found = set()
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            remote = getattr(field.remote_field, "model", None)
            if remote is EndUser or field.name in NAMES:
                found.add(model.__name__)
    return found - NOT_ABOUT_PEOPLE - {"Session", "LogEntry"}


class TestTables:
    def test_about_people_are_all_erased(self):
        assert about_people() == set(ERASED_BY)

    def test_are_erased_by_what_there_is(self):
        names = {holding.name for holding in DATA_REGISTRY}

        assert {name for name in ERASED_BY.values() if " " not in name} <= names

    def test_have_names_of_their_own(self):
        names = [holding.name for holding in DATA_REGISTRY]

        assert len(names) == len(set(names))
        assert "end_users" not in names
