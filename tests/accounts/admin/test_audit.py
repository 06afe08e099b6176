"""Whatever staff do leaves an entry: who, what, to what, from what to what, why, from where."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry

from accounts.admin.actions import MOST_ROWS
from accounts.models import ApiClient, FeatureFlag, Plan, RefreshFamily, SigningKey, Tenant, User
from accounts.tenancy import scope, tenant_cache
from core import clock
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.models import Artefact, Experiment, Placement, PlacementVersion
from recommendations.placements import versions
from tests.accounts.admin.people import REASON, act, entries, page, staff
from tests.recommendations.lists import create_placement
from tests.size import some


@pytest.fixture
def root(cast):
    tenant_cache.load()
    return staff("root", is_superuser=True)[1]


def base_actions(page_of):
    return page_of._get_base_actions()


class TestChanges:
    def test_say_who_what_from_what_to_what_and_why(self, cast, root):
        with scope.tenant(cast.acme.tenant.pk):
            flag = FeatureFlag.objects.create(tenant=cast.acme.tenant, name="ai", percent=50)
        sent = {"name": "ai", "percent": "5", "_reason": REASON}
        root.post(page(FeatureFlag, "change", flag.pk), sent, HTTP_X_REQUEST_ID="a-request-of-mine")

        (entry,) = entries(action="changed")
        assert (entry.actor, entry.via, entry.outcome) == ("root", "admin", "done")
        assert (entry.target_type, entry.target_id) == ("accounts.featureflag", str(flag.pk))
        assert entry.tenant_id == cast.acme.tenant.pk
        assert entry.changes == {"percent": {"from": 50, "to": 5}}
        assert (entry.reason, entry.address, entry.request_id) == (REASON, "127.0.0.1", "a-request-of-mine")

    def test_in_the_list_too(self, cast, root):
        with scope.tenant(cast.acme.tenant.pk):
            flag = FeatureFlag.objects.create(tenant=cast.acme.tenant, name="ai", percent=50)
        row = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": flag.pk, "form-0-percent": "7"}
        root.post(page(FeatureFlag, "changelist"), {**row, "_save": "Save"})

        assert [entry.changes for entry in entries(action="changed")] == [{"percent": {"from": 50, "to": 7}}]

    def test_name_the_rows_that_are_referred_to(self, cast, root):
        better = Plan.objects.create(name="Better")
        tenant = cast.acme.tenant
        sent = {"name": "Acme", "locale": "en", "plan": better.pk, "create_unknown": "on"}
        sent |= {"impressions": "implied", "attribution_hours": 168, "conversion_types": "purchase"}
        sent |= {"validation": "auto"}
        assert root.post(page(Tenant, "change", tenant.pk), sent).status_code == 302

        (entry,) = entries(action="changed")
        assert entry.changes["plan"] == {"from": f"Test (#{tenant.plan_id})", "to": f"Better (#{better.pk})"}

    def test_adding_and_deleting_tell_the_values(self, cast, root):
        root.post(
            page(Plan, "add"), {"name": "Small", "read_per_minute": "60", "on_quota": "reject", "backend_percent": "20"}
        )
        plan = Plan.objects.get(name="Small")
        root.post(page(Plan, "delete", plan.pk), {"post": "yes", "_reason": REASON})

        added, deleted = entries(target_type="accounts.plan")
        assert added.changes["read_per_minute"] == {"from": None, "to": 60}
        assert deleted.changes["name"] == {"from": "Small", "to": None}
        assert (deleted.action, deleted.reason) == ("deleted", REASON)

    def test_a_password_is_told_of_and_not_told(self, cast, root):
        person, _ = staff("colleague")
        new = {"password1": "hijacked-hijacked-1", "password2": "hijacked-hijacked-1", "usable_password": "true"}
        root.post(f"/admin/accounts/user/{person.pk}/password/", new)

        (entry,) = entries(target_type="accounts.user", action="changed")
        assert "assword" in entry.note
        assert "hijacked" not in str(entry.__dict__)

    def test_deleting_asks_for_a_reason(self, cast, root):
        plan = Plan.objects.create(name="Small")

        assert b'name="_reason"' in root.get(page(Plan, "delete", plan.pk)).content
        root.post(page(Plan, "delete", plan.pk), {"post": "yes"})

        assert Plan.objects.filter(pk=plan.pk).exists()


class TestActions:
    """Each is tried, and leaves an entry with its reason: what is not tried here fails the last test."""

    def client(self, cast):
        return ApiClient, cast.acme.reader.client.pk

    def tenant(self, cast):
        return Tenant, cast.acme.tenant.pk

    def key(self, cast):
        return SigningKey, SigningKey.objects.values_list("pk", flat=True)[0]

    def family(self, cast):
        now = clock.now()
        with scope.tenant(cast.acme.tenant.pk):
            family = RefreshFamily.objects.create(
                tenant=cast.acme.tenant, client=cast.acme.reader.client, started_at=now, expires_at=now, scopes=[]
            )
        return RefreshFamily, family.pk

    def webhook(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            row = WebhookEndpoint.objects.create(
                tenant_id=cast.acme.tenant.pk, url="https://hooks.example.org/", events=["webhook.test"], secret="x"
            )
        return WebhookEndpoint, row.pk

    def delivery(self, cast):
        _, endpoint = self.webhook(cast)
        with scope.tenant(cast.acme.tenant.pk):
            row = WebhookDelivery.objects.create(
                tenant_id=cast.acme.tenant.pk, endpoint_id=endpoint, message_id="m", type="t", body="{}",
                created_at=clock.now(),
            )  # fmt: skip
        return WebhookDelivery, row.pk

    def placement(self, cast):
        self.version(cast)
        with scope.tenant(cast.acme.tenant.pk):
            place = Placement.objects.get()
        versions.publish_version(tenant_id=cast.acme.tenant.pk, placement="home", number=1, now=clock.now())
        return Placement, place.pk

    def version(self, cast):
        create_placement(tenant_id=cast.acme.tenant.pk, name="home")
        row = versions.create_draft(tenant_id=cast.acme.tenant.pk, placement="home", rules={}, now=clock.now())
        return PlacementVersion, row.pk

    def experiment(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            place = Placement.objects.create(tenant=cast.acme.tenant, name="home")
            row = Experiment.objects.create(tenant=cast.acme.tenant, placement=place, name="trial")
        return Experiment, row.pk

    def colleague(self, cast):
        return User, staff("colleague")[0].pk

    def artefact(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            row = Artefact.objects.create(
                tenant=cast.acme.tenant, file="x", items=1, people=1, interactions=1, size_bytes=1,
                train_seconds=1, created_at=clock.now(),
            )  # fmt: skip
        return Artefact, row.pk

    TRIED = {
        ("ApiClient", "rotate_secret"): "client",
        ("ApiClient", "renew_secret"): "client",
        ("ApiClient", "deactivate"): "client",
        ("ApiClient", "activate"): "client",
        ("Tenant", "suspend"): "tenant",
        ("Tenant", "reactivate"): "tenant",
        ("SigningKey", "rotate"): "key",
        ("SigningKey", "replace_compromised"): "key",
        ("RefreshFamily", "end"): "family",
        ("WebhookEndpoint", "rotate"): "webhook",
        ("WebhookEndpoint", "try_out"): "webhook",
        ("WebhookDelivery", "again"): "delivery",
        ("Placement", "roll_back"): "placement",
        ("PlacementVersion", "publish"): "version",
        ("Experiment", "start"): "experiment",
        ("Experiment", "end"): "experiment",
        ("Artefact", "serve_again"): "artefact",
        ("User", "reset_second_factor"): "colleague",
        ("User", "unlock"): "colleague",
    }
    # What asks for nothing: it changes nothing that is served, and can be repeated.
    AT_ONCE = {("WebhookEndpoint", "try_out"), ("WebhookDelivery", "again")}

    @pytest.mark.parametrize(("model", "action"), some(TRIED), ids=str)
    def test_leaves_an_entry(self, cast, root, model, action):
        row_model, key = getattr(self, self.TRIED[model, action])(cast)

        act(root, row_model, action, key)

        (entry,) = entries(action=action)
        assert (entry.actor, entry.reason) == ("root", REASON)
        assert entry.target_type == row_model._meta.label_lower
        if entry.outcome == "done" and not entry.note.startswith("Key"):
            assert entry.target_id == str(key)
            assert LogEntry.objects.filter(object_id=str(key)).exists()

    @pytest.mark.parametrize(("model", "action"), some(sorted(set(TRIED) - AT_ONCE)), ids=str)
    def test_asks_first_and_says_what_follows(self, cast, root, model, action):
        row_model, key = getattr(self, self.TRIED[model, action])(cast)
        chosen = {"action": action, "_selected_action": [key]}

        asked = root.post(page(row_model, "changelist"), chosen)
        without = root.post(page(row_model, "changelist"), {**chosen, "_confirmed": "yes", "_reason": "  "})

        spec = getattr(type(admin.site._registry[row_model]), action).spec
        assert spec.consequence[:40] in asked.content.decode()
        assert b'name="_reason"' in asked.content
        assert (asked.status_code, without.status_code) == (200, 422)
        assert entries(action=action) == []

    def test_every_action_there_is_is_tried_here(self):
        there = {
            (model.__name__, spec.name if (spec := getattr(do, "spec", None)) else str(name))
            for model, page_of in admin.site._registry.items()
            for do, name, _ in base_actions(page_of)
            if name != "delete_selected"
        }

        assert there == set(self.TRIED)

    def test_every_action_is_declared_in_the_one_way(self):
        for page_of in admin.site._registry.values():
            for do, name, _ in base_actions(page_of):
                assert hasattr(do, "spec"), (page_of, name)

    def test_a_refusal_is_told_as_one(self, cast, root):
        model, key = self.placement(cast)
        act(root, model, "roll_back", key)
        act(root, model, "roll_back", key)

        first, second = entries(action="roll_back")
        assert (first.outcome, second.outcome) == ("done", "refused")
        assert first.changes["active_version"]["to"] is None
        assert "nothing to roll back" in second.note

    def test_a_row_s_own_page_offers_them(self, cast, root):
        model, key = self.client(cast)

        text = root.get(page(model, "change", key)).content.decode()

        assert 'name="action" value="rotate_secret"' in text
        assert 'name="action" value="delete_selected"' not in text

    def test_many_rows_at_once_are_refused(self, cast, root):
        Plan.objects.bulk_create(Plan(name=f"p{number}") for number in range(MOST_ROWS + 1))
        keys = Plan.objects.filter(name__startswith="p").values_list("pk", flat=True)

        act(root, Plan, "delete_selected", *keys)

        assert Plan.objects.filter(name__startswith="p").count() == MOST_ROWS + 1

    def test_deleting_several_notes_each(self, cast, root):
        plans = [Plan.objects.create(name=name) for name in ("one", "two")]
        act(root, Plan, "delete_selected", *[plan.pk for plan in plans], cast.acme.tenant.plan_id)

        assert [(entry.target, entry.outcome) for entry in entries(target_type="accounts.plan")] == [
            ("Test", "refused"),
            ("one", "done"),
            ("two", "done"),
        ]
        assert [plan.name for plan in Plan.objects.all()] == ["Test"]
