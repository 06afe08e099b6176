"""Events that trainings hold back for validation: the tenant's setting, and that of a single build."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Tenant, User
from accounts.tenancy import scope
from recommendations.algorithms.training_options import VALIDATIONS
from recommendations.models import Artefact, Build
from recommendations.pipeline.builds import training_options
from tests.recommendations.pipeline.generated import build_now

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def admin_of_all():
    """A signed-in superuser."""
    with scope.all_tenants("test"):
        staff = User.objects.create_superuser("root", "root@example.org", "x")
    client = Client()
    client.force_login(staff)
    return client


def choose(tenant, validation):
    with scope.all_tenants("test"):
        Tenant.objects.filter(pk=tenant.pk).update(validation=validation)


def folds(tenant):
    with scope.tenant(tenant.pk):
        return [row.chosen["validation"]["fold"] for row in Artefact.objects.order_by("pk")]


class TestSetting:
    def test_knows_what_trainings_know(self):
        assert tuple(Tenant.Validation.values) == VALIDATIONS

    def test_is_the_tenants_own(self, acme, cast):
        choose(acme, "random")

        assert training_options.load_options(tenant_id=acme.pk).validation == "random"
        assert training_options.load_options(tenant_id=acme.pk, validation="last").validation == "last"
        assert training_options.load_options(tenant_id=cast.globex.tenant.pk).validation == "auto"

    @pytest.mark.slow
    def test_holds_from_the_next_build_on(self, acme):
        build_now(acme)
        choose(acme, "random")
        build_now(acme)

        assert folds(acme) == ["last", "random"]


@pytest.mark.slow
class TestBuild:
    def test_what_it_was_asked_for_holds_for_it_alone(self, acme):
        choose(acme, "last")

        builds = [build_now(acme, validation="random"), build_now(acme)]

        assert [build.validation for build in builds] == ["random", ""]
        assert folds(acme) == ["random", "last"]

    def test_says_that_it_was_not_compared_with_what_another_fold_judged(self, acme):
        first = build_now(acme)
        second = build_now(acme, validation="random")
        third = build_now(acme, validation="random")

        assert "another fold" not in first.notes + third.notes
        assert "Not compared: validated on random, the active one on last. Weights are chosen by" in second.notes
        assert "random: random events of each user; 40 validation users." in second.notes

    def test_its_page_and_its_artefacts_say_what_chose_the_weights_and_why(self, acme, admin_of_all):
        build = build_now(acme)
        with scope.tenant(acme.pk):
            assert build.artefact is not None
            why = build.artefact.chosen["validation"]["why"]

        for name, pk in (("build", build.pk), ("artefact", build.artefact_id)):
            page = admin_of_all.get(reverse(f"admin:recommendations_{name}_change", args=[pk])).content.decode()
            assert "last: each user&#x27;s last events; 40 validation users. " in page
            assert why in page
            rows = admin_of_all.get(reverse(f"admin:recommendations_{name}_changelist")).content.decode()
            assert '<td class="field-fold">last</td>' in rows

    def test_its_page_is_there_before_it_is_trained(self, acme, admin_of_all):
        with scope.tenant(acme.pk):
            build = Build.objects.create(tenant=acme, reason="test", cutoff="2026-01-01T00:00Z", validation="time")

        page = admin_of_all.get(reverse("admin:recommendations_build_change", args=[build.pk])).content.decode()

        assert "Weights chosen by" in page
        assert "time" in page
