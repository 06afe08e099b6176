"""The roles that come with the service, and the command that makes staff."""

import json

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import ApiClient, Plan, SigningKey, User
from accounts.staff import privileges, roles
from recommendations.models import EndUser, Placement, PlacementVersion
from tests.accounts.admin.people import entries, page

# What each may open to look at (v) and to add (a).
MATRIX = {
    "Viewer": {Placement: "v", EndUser: "", ApiClient: "v", SigningKey: "", User: ""},
    "Merchandiser": {Placement: "va", PlacementVersion: "va", EndUser: "v", User: ""},
    "Analyst": {Placement: "v", EndUser: "v", PlacementVersion: "v", User: ""},
    "Operator": {Placement: "v", ApiClient: "va", SigningKey: "v", Plan: "va", User: "v"},
    "Privacy officer": {EndUser: "v", Placement: "v", ApiClient: "v", User: ""},
    "Auditor": {EndUser: "v", User: "v", ApiClient: "v", SigningKey: "v", Placement: "v"},
}


@pytest.fixture(autouse=True)
def _roles(db):
    roles.ensure(restore=True)


def create(capsys, *arguments):
    capsys.readouterr()
    call_command("staff", "create", *arguments, "--json")
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.mark.parametrize("role", MATRIX)
def test_a_role_opens_what_it_is_for(cast, capsys, role):
    made = create(capsys, "kim", "--role", role.lower(), "--reason", "new colleague")
    browser = Client()
    assert browser.login(username="kim", password=made["password"])

    for model, may in MATRIX[role].items():
        assert (browser.get(page(model, "changelist")).status_code == 200) is ("v" in may), model
        assert (browser.get(page(model, "add")).status_code == 200) is ("a" in may), model
    (entry,) = entries(action="added")
    assert (entry.via, entry.target, entry.reason) == ("command", "kim", "new colleague")
    assert made["password"] not in str(entry.__dict__)


def test_confined_to_a_tenant(cast, capsys):
    create(capsys, "kim", "--role", "merchandiser", "--tenant", "acme")

    assert User.objects.get(username="kim").tenant_id == cast.acme.tenant.pk


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["kim", "--role", "king"], "There is no role 'king'"),
        (["kim", "--role", "viewer", "--tenant", "nowhere"], "There is no tenant 'nowhere'"),
        (["ki m!", "--role", "viewer"], "Enter a valid username"),
    ],
)
def test_says_what_is_wrong(cast, arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("staff", "create", *arguments)
    assert not User.objects.filter(username=arguments[0]).exists()


def test_only_auditing_roles_read_the_audit_log():
    readers = {name for name, held in roles.shipped().items() if "view_auditentry" in held}

    assert readers == {"Operator", "Privacy officer", "Auditor"}


def test_no_role_edits_accounts_or_groups():
    for name, held in roles.shipped().items():
        assert not {each for each in held if each.endswith(("_user", "_group")) and not each.startswith("view")}, name


def test_what_a_superuser_has_changed_stays(db):
    viewer = Group.objects.get(name="Viewer")
    viewer.permissions.clear()
    Group.objects.get(name="Auditor").delete()

    assert roles.ensure() == ["Auditor"]
    assert viewer.permissions.count() == 0
    assert set(roles.ensure(restore=True)) == set(roles.shipped())
    assert viewer.permissions.count() > 10


def test_an_operator_gives_programs_all_but_erasing(cast, capsys):
    create(capsys, "kim", "--role", "operator")
    from accounts.tokens.scopes import SCOPES

    assert privileges.scopes_beyond(User.objects.get(username="kim"), SCOPES) == ["privacy:write"]
