"""Entries of the audit log cannot be changed, and only those whose they are read them."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from accounts import audit
from accounts.models import AuditEntry
from accounts.tenancy import scope, tenant_cache
from core import clock
from tests.accounts.admin.people import REASON, entries, page, staff


@pytest.fixture
def root(cast):
    tenant_cache.load()
    return staff("root", is_superuser=True)[1]


class TestTheLog:
    def entry(self, tenant_id=None, action="tested"):
        target = audit.Target("a.b", "1", "thing", tenant_id)
        return audit.record(actor=audit.Actor("me"), action=action, now=clock.now(), target=target)

    @pytest.mark.parametrize("change", ["update", "delete"])
    def test_the_service_cannot_change_it(self, db, change):
        entry = self.entry()
        rows = AuditEntry.objects.filter(pk=entry.pk)

        with pytest.raises(DatabaseError, match="append-only"), scope.all_tenants("test"), transaction.atomic():
            rows.update(actor="somebody else") if change == "update" else rows.delete()
        assert entries()[0].actor == "me"

    def test_what_is_old_may_go(self, db):
        with scope.all_tenants("test"), connection.cursor() as cursor:
            cursor.execute("SELECT now() - interval '91 days'")
            (long_ago,) = cursor.fetchone()
        audit.record(actor=audit.Actor("me"), action="tested", now=long_ago)

        with scope.all_tenants("test"):
            AuditEntry.objects.all().delete()
        assert entries() == []

    def test_is_read_by_those_whose_it_is(self, cast):
        _, confined = staff("inside", "*", tenant=cast.acme.tenant)
        _, free = staff("free", "accounts.view_auditentry")
        for tenant_id, action in ((cast.acme.tenant.pk, "ours"), (cast.globex.tenant.pk, "theirs"), (None, "nobodys")):
            self.entry(tenant_id, action)

        own = confined.get(page(AuditEntry, "changelist") + "?q=thing").content.decode()
        every = free.get(page(AuditEntry, "changelist") + "?q=thing").content.decode()

        assert [name in own for name in (">ours<", ">theirs<", ">nobodys<")] == [True, False, False]
        assert [name in every for name in (">ours<", ">theirs<", ">nobodys<")] == [True, True, True]

    @pytest.mark.parametrize("name", ["add", "change", "delete"])
    def test_nobody_writes_it_by_hand(self, cast, root, name):
        entry = self.entry()
        args = () if name == "add" else (entry.pk,)

        assert root.post(page(AuditEntry, name, *args), {"actor": "x", "post": "yes"}).status_code == 403
        assert b"delete_selected" not in root.get(page(AuditEntry, "changelist")).content


class TestCommands:
    @pytest.mark.parametrize(
        ("options", "action"), [({}, "rotate"), ({"compromised": True}, "replace_compromised"), ({"show": True}, None)]
    )
    def test_of_signing_keys_are_told(self, db, capsys, options, action):
        call_command("rotate_jwks", reason=REASON, **options)

        told = [(entry.action, entry.via, entry.reason) for entry in entries()]
        assert told == ([(action, "command", REASON)] if action else [])
