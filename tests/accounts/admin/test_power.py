"""Nobody acts upon an account, or gives a credential, that may more than they may themselves."""

import pytest
from django.contrib.auth.models import Group, Permission

from accounts.models import ApiClient, FeatureFlag, User
from accounts.staff import privileges
from accounts.tenancy import scope
from accounts.tokens import clients
from recommendations.models import AILimit
from tests.accounts.admin.people import CONFIRMED, PASSWORD, act, page, staff

CHANGERS = ("accounts.view_user", "accounts.change_user", "accounts.add_user", "accounts.delete_user")
NEW = {"password1": "hijacked-hijacked-1", "password2": "hijacked-hijacked-1", "usable_password": "true"}


def made(name, *permissions, **fields):
    return staff(name, *permissions, **fields)[0]


def give(person, *names):
    for name in names:
        app, codename = name.split(".")
        person.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))


@pytest.fixture
def above(cast):
    """Accounts that may more than somebody with CHANGERS, each in a way of its own."""
    group = Group.objects.create(name="Clients")
    group.permissions.add(Permission.objects.get(codename="add_apiclient"))
    by_group = made("by-group")
    by_group.groups.add(group)
    return {
        "superuser": made("root", is_superuser=True),
        "permission": made("by-permission", *CHANGERS, "accounts.change_tenant"),
        "group": by_group,
        "inactive": User.objects.create_user("asleep", password=PASSWORD, is_superuser=True, is_active=False),
    }


@pytest.mark.parametrize("which", ["superuser", "permission", "group", "inactive"])
class TestAccountsThatMayMore:
    def test_keep_their_password(self, above, which):
        _, browser = staff("changer", *CHANGERS)

        response = browser.post(f"/admin/accounts/user/{above[which].pk}/password/", NEW)

        above[which].refresh_from_db()
        assert response.status_code == 403
        assert above[which].check_password(PASSWORD)

    def test_keep_everything_else(self, above, which):
        _, browser = staff("changer", *CHANGERS)
        sent = {"username": "renamed", "email": "mine@example.org", "is_active": "on"}

        response = browser.post(page(User, "change", above[which].pk), sent)

        name = above[which].username
        above[which].refresh_from_db()
        assert (response.status_code, above[which].username) == (403, name)

    @pytest.mark.parametrize("at_once", [True, False])
    def test_are_not_deleted(self, above, which, at_once):
        _, browser = staff("changer", *CHANGERS)

        if at_once:
            act(browser, User, "delete_selected", above[which].pk)
        else:
            browser.post(page(User, "delete", above[which].pk), {"post": "yes", **CONFIRMED})

        assert User.objects.filter(pk=above[which].pk).exists()


class TestGiving:
    @pytest.mark.parametrize("whom", ["themselves", "a colleague"])
    def test_nobody_but_a_superuser_gives_power(self, cast, whom):
        person, browser = staff("changer", *CHANGERS)
        target = person if whom == "themselves" else made("colleague")
        group = Group.objects.create(name="Everything")
        sent = {"username": target.username, "email": "new@example.org", "is_active": "on", "is_staff": "on"}
        sent |= {
            "is_superuser": "on",
            "groups": [group.pk],
            "user_permissions": [Permission.objects.values_list("pk", flat=True)[0]],
        }
        sent |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
        held = set(target.user_permissions.values_list("pk", flat=True))

        response = browser.post(page(User, "change", target.pk), sent)

        target.refresh_from_db()
        assert (response.status_code, target.email) == (302, "new@example.org")
        assert (target.is_superuser, target.groups.count()) == (False, 0)
        assert set(target.user_permissions.values_list("pk", flat=True)) == held

    def test_a_superuser_does(self, cast):
        _, browser = staff("root", is_superuser=True)
        target = made("colleague")
        group = Group.objects.create(name="Everything")
        sent = {"username": "colleague", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
        sent |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}

        assert browser.post(page(User, "change", target.pk), sent).status_code == 302
        assert list(target.groups.all()) == [group]

    def test_an_account_is_not_let_out_of_its_tenant_by_somebody_inside(self, cast):
        _, browser = staff("inside", *CHANGERS, tenant=cast.acme.tenant)
        target = made("colleague", tenant=cast.acme.tenant)
        sent = {"username": "colleague", "is_active": "on", "tenant": "", "email": "x@example.org"}
        sent |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}

        browser.post(page(User, "change", target.pk), sent)

        target.refresh_from_db()
        assert target.tenant_id == cast.acme.tenant.pk

    @pytest.mark.parametrize("name", ["add", "change", "delete"])
    def test_groups_are_superusers(self, cast, name):
        _, browser = staff("grouper", "auth.view_group", "auth.add_group", "auth.change_group", "auth.delete_group")
        group = Group.objects.create(name="Mine")

        args = () if name == "add" else (group.pk,)
        sent = {
            "name": "Mine",
            "permissions": [Permission.objects.values_list("pk", flat=True)[0]],
            "post": "yes",
            **CONFIRMED,
        }
        assert browser.post(page(Group, name, *args), sent).status_code == 403
        assert group.permissions.count() == 0


class TestComparing:
    def test_somebody_confined_covers_nobody_outside(self, cast):
        inside = made("inside", "*", tenant=cast.acme.tenant)
        boss = made("boss", tenant=cast.acme.tenant, is_superuser=True)
        outside, stranger = made("outside"), made("stranger", tenant=cast.globex.tenant)

        assert not privileges.covers(inside, outside)
        assert not privileges.covers(inside, stranger)
        assert not privileges.covers(boss, outside)
        assert not privileges.covers(inside, boss)
        assert privileges.covers(boss, inside)

    def test_the_same_rights_are_covered_and_one_more_is_not(self, cast):
        one, other = made("one", *CHANGERS), made("other", *CHANGERS)
        assert privileges.covers(one, other)

        give(other, "accounts.view_tenant")
        assert not privileges.covers(one, other)
        assert privileges.covers(other, one)

    def test_every_scope_has_its_permissions(self, db):
        from accounts.tokens.scopes import SCOPES

        assert set(privileges.SCOPE_PERMISSIONS) == set(SCOPES)
        known = {f"{each.content_type.app_label}.{each.codename}" for each in Permission.objects.all()}
        assert frozenset().union(*privileges.SCOPE_PERMISSIONS.values()) <= known


class TestCredentials:
    CLIENTS = ("accounts.view_apiclient", "accounts.add_apiclient", "accounts.change_apiclient")

    def client(self, cast, *scopes):
        with scope.tenant(cast.acme.tenant.pk):
            return clients.issue(tenant=cast.acme.tenant, name="shop", scopes=scopes).client

    def test_nobody_gives_a_program_what_they_may_not_do(self, cast):
        _, browser = staff("issuer", *self.CLIENTS, "accounts.view_tenant", "recommendations.view_interaction")
        sent = {"tenant": cast.acme.tenant.pk, "name": "mine", "scopes": ["events:read", "privacy:write"]}

        response = browser.post(page(ApiClient, "add"), {**sent, "active": "on"})
        assert "privacy:write" in response.content.decode()
        assert browser.post(page(ApiClient, "add"), {**sent, "scopes": ["events:read"]}).status_code == 200
        with scope.all_tenants("test"):
            assert ApiClient.objects.get(name="mine").scopes == ["events:read"]

    @pytest.mark.parametrize("action", ["rotate_secret", "renew_secret", "activate"])
    def test_nor_sees_the_secret_of_one_that_may_more(self, cast, action):
        _, browser = staff("issuer", *self.CLIENTS)
        client = self.client(cast, "privacy:write")
        before = client.secret_hash

        response = act(browser, ApiClient, action, client.pk)

        with scope.tenant(cast.acme.tenant.pk):
            client.refresh_from_db()
        assert client.secret_hash == before
        assert b"secret-1" not in response.content

    def test_nor_changes_such_a_one(self, cast):
        _, browser = staff("issuer", *self.CLIENTS)
        client = self.client(cast, "privacy:write")

        assert browser.post(page(ApiClient, "change", client.pk), {"name": "x"}).status_code == 403

    def test_and_revokes_any(self, cast):
        _, browser = staff("issuer", *self.CLIENTS)
        client = self.client(cast, "privacy:write")

        act(browser, ApiClient, "deactivate", client.pk)

        with scope.tenant(cast.acme.tenant.pk):
            client.refresh_from_db()
        assert not client.active


class TestWhatIsGivenByTheDeployment:
    def test_confined_staff_do_not_raise_their_own_limit(self, cast):
        _, browser = staff("inside", "*", tenant=cast.acme.tenant)
        with scope.tenant(cast.acme.tenant.pk):
            limit = AILimit.objects.create(tenant=cast.acme.tenant, day_usd=1)
        sent = {"tenant": cast.acme.tenant.pk, "day_usd": "999999", "month_usd": "999999"}

        assert browser.get(page(AILimit, "change", limit.pk)).status_code == 200
        assert browser.post(page(AILimit, "change", limit.pk), sent).status_code == 403
        assert browser.post(page(AILimit, "add"), sent).status_code == 403
        act(browser, AILimit, "delete_selected", limit.pk)
        with scope.tenant(cast.acme.tenant.pk):
            assert AILimit.objects.get().day_usd == 1

    def test_nor_switch_on_what_was_switched_off_for_them(self, cast):
        _, browser = staff("inside", "*", tenant=cast.acme.tenant)
        with scope.tenant(cast.acme.tenant.pk):
            flag = FeatureFlag.objects.create(tenant=cast.acme.tenant, name="ai", percent=0)

        assert browser.post(page(FeatureFlag, "change", flag.pk), {"percent": "100"}).status_code == 403
        row = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": flag.pk, "form-0-percent": "100"}
        browser.post(page(FeatureFlag, "changelist"), {**row, "_save": "Save"})
        with scope.tenant(cast.acme.tenant.pk):
            flag.refresh_from_db()
        assert flag.percent == 0
