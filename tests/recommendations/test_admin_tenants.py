"""Forms for a tenant's rows offer and accept rows of that tenant only."""

import html

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.models import Artefact, Experiment, ExperimentArm, Placement, PlacementVersion
from recommendations.placements import versions
from tests.accounts.admin.people import act, entries, page, staff
from tests.recommendations.lists import create_placement


@pytest.fixture
def root(cast):
    return staff("root", is_superuser=True)[1]


@pytest.fixture
def places(cast):
    """A placement of the same name for either tenant, with a draft and an artefact."""
    found = {}
    for member in (cast.acme, cast.globex):
        create_placement(tenant_id=member.tenant.pk, name="home")
        version = versions.create_draft(tenant_id=member.tenant.pk, placement="home", rules={}, now=clock.now())
        with scope.tenant(member.tenant.pk):
            artefact = Artefact.objects.create(
                tenant=member.tenant, file="x", items=1, people=1, interactions=1, size_bytes=1, train_seconds=1
            )
        found[member.tenant.slug] = (version.placement, version, artefact)
    return found


def drafts(tenant):
    with scope.tenant(tenant.pk):
        return list(PlacementVersion.objects.order_by("number").values_list("placement__tenant__slug", "number"))


class TestVersions:
    def send(self, browser, tenant, place):
        sent = {"tenant": tenant.pk, "placement": place.pk, "rules": '{"hide": ["a"]}', "note": ""}
        return browser.post(page(PlacementVersion, "add"), sent)

    def test_a_draft_is_made_for_the_chosen_tenant(self, cast, root, places):
        assert self.send(root, cast.globex.tenant, places["globex"][0]).status_code == 302

        assert drafts(cast.globex.tenant) == [("globex", 1), ("globex", 2)]
        assert drafts(cast.acme.tenant) == [("acme", 1)]

    def test_or_not_at_all(self, cast, root, places):
        response = self.send(root, cast.globex.tenant, places["acme"][0])

        assert "This belongs to another tenant (acme), not to globex." in response.content.decode()
        assert drafts(cast.globex.tenant) == [("globex", 1)]
        assert drafts(cast.acme.tenant) == [("acme", 1)]
        assert entries(action="added") == []

    def test_placements_are_named_with_their_tenant(self, cast, root, places):
        text = html.unescape(root.get(page(PlacementVersion, "add")).content.decode())

        assert ">acme / home</option>" in text
        assert ">globex / home</option>" in text
        assert f'data-tenant="{cast.acme.tenant.pk}"' in text

    def test_only_the_own_are_offered_where_the_tenant_is_known(self, cast, root, places):
        text = root.get(page(PlacementVersion, "add") + f"?tenant={cast.globex.tenant.pk}").content.decode()
        _, inside = staff("inside", "*", tenant=cast.acme.tenant)
        own = inside.get(page(PlacementVersion, "add")).content.decode()

        assert ("globex / home" in text, "acme / home" in text) == (True, False)
        assert ("globex / home" in own, "acme / home" in own) == (False, True)

    def test_a_draft_moves_to_no_other_placement(self, cast, root, places):
        _, version, _ = places["acme"]
        sent = {"placement": places["globex"][0].pk, "tenant": cast.globex.tenant.pk, "rules": "{}", "note": "moved"}
        root.post(page(PlacementVersion, "change", version.pk), sent)

        with scope.all_tenants("test"):
            version.refresh_from_db()
        assert (version.placement_id, version.tenant_id) == (places["acme"][0].pk, cast.acme.tenant.pk)
        assert version.note == "moved"


class TestExperiments:
    def send(self, browser, tenant, place, version="", artefact="", key=None):
        sent = {
            "tenant": tenant.pk, "placement": place.pk, "name": "trial", "metric": "click", "horizon_hours": 24,
            "alpha": "0.05", "max_days": 28, "arms-TOTAL_FORMS": 1, "arms-INITIAL_FORMS": 0, "arms-MIN_NUM_FORMS": 0,
            "arms-MAX_NUM_FORMS": 8, "arms-0-letter": "a", "arms-0-percent": 50, "arms-0-ai": "on",
            "arms-0-version": version, "arms-0-artefact": artefact,
        }  # fmt: skip
        args = ("change", key) if key else ("add",)
        return browser.post(page(Experiment, *args), sent)

    def test_take_what_is_the_tenant_s(self, cast, root, places):
        place, version, artefact = places["acme"]

        assert self.send(root, cast.acme.tenant, place, version.pk, artefact.pk).status_code == 302
        with scope.tenant(cast.acme.tenant.pk):
            assert ExperimentArm.objects.get().version_id == version.pk

    @pytest.mark.parametrize("foreign", ["placement", "version", "artefact"])
    def test_take_nothing_of_another(self, cast, root, places, foreign):
        own, theirs = places["acme"], places["globex"]
        place = theirs[0] if foreign == "placement" else own[0]
        version = theirs[1].pk if foreign == "version" else ""
        artefact = theirs[2].pk if foreign == "artefact" else ""

        assert self.send(root, cast.acme.tenant, place, version, artefact).status_code == 200
        with scope.all_tenants("test"):
            assert Experiment.objects.count() == 0

    def test_offer_only_the_own_once_there_is_one(self, cast, root, places):
        with scope.tenant(cast.acme.tenant.pk):
            trial = Experiment.objects.create(tenant=cast.acme.tenant, placement=places["acme"][0], name="trial")
        text = root.get(page(Experiment, "change", trial.pk)).content.decode()

        assert "acme / home v1" in text
        assert "globex" not in text


class TestRollingBack:
    def test_the_first_version_leaves_none(self, cast, root, places):
        place, version, _ = places["acme"]
        act(root, PlacementVersion, "publish", version.pk)
        with scope.tenant(cast.acme.tenant.pk):
            place.refresh_from_db()
        assert place.active_version_id == version.pk

        response = root.post(
            page(Placement, "changelist"),
            {"action": "roll_back", "_selected_action": [place.pk], "_confirmed": "yes", "_reason": "wrong pin"},
            follow=True,
        )

        with scope.tenant(cast.acme.tenant.pk):
            place.refresh_from_db()
        assert place.active_version_id is None
        assert "no version is published" in response.content.decode()
        (entry,) = entries(action="roll_back")
        assert (entry.reason, entry.tenant_id) == ("wrong pin", cast.acme.tenant.pk)
        assert entry.changes["active_version"]["to"] is None
