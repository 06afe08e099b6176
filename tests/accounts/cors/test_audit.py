"""`manage.py audit_cors`: what CORS allows, and what has changed."""

import io
import json
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from accounts import checks
from accounts.cors import audit as cors_audit
from accounts.models import Tenant
from accounts.tenancy import scope

COMMITTED = Path(__file__).parents[3] / "docs" / "security" / "cors-policy.json"


def allow(member, *origins):
    with scope.tenant(member.tenant.pk):
        Tenant.objects.update(allowed_origins=list(origins))


def audit(folder, *options):
    out = io.StringIO()
    call_command("audit_cors", f"--folder={folder}", *options, stdout=out)
    report = json.loads(sorted(folder.glob("cors-*.json"))[-1].read_text())
    return report, out.getvalue()


def test_the_policy_is_the_committed_one():
    """Whoever changes what pages may do changes this file as well, where a reviewer sees it."""
    assert cors_audit.policy() == json.loads(COMMITTED.read_text())


class TestCommand:
    def test_the_first_report_names_every_list(self, cast, settings, tmp_path):
        settings.CORS_ALLOWED_ORIGINS = ["https://console.example.net"]
        allow(cast.acme, "https://shop.example.org")

        report, said = audit(tmp_path / "reports")

        assert report["origins"] == {
            "deployment": ["https://console.example.net"],
            "tenant acme": ["https://shop.example.org"],
        }
        assert (report["changes"], report["compared_with"], report["refused"]) == ([], None, [])
        assert "tenant acme: https://shop.example.org" in said

    def test_the_next_one_says_what_changed(self, cast, settings, tmp_path):
        allow(cast.acme, "https://old.example.org", "https://kept.example.org")
        audit(tmp_path)
        allow(cast.acme, "https://kept.example.org", "https://new.example.org")
        settings.CORS_PREFLIGHT_MAX_AGE = 60

        report, said = audit(tmp_path)

        assert report["changes"] == [
            {"change": "added", "list": "tenant acme", "origin": "https://new.example.org"},
            {"change": "removed", "list": "tenant acme", "origin": "https://old.example.org"},
            {"change": "policy", "name": "preflight_seconds", "before": 600, "after": 60},
        ]
        assert "added: https://new.example.org (tenant acme)" in said
        assert audit(tmp_path)[0]["changes"] == []

    def test_a_change_may_be_a_failure(self, cast, tmp_path):
        audit(tmp_path, "--unchanged")
        audit(tmp_path, "--unchanged")
        allow(cast.globex, "https://new.example.org")

        with pytest.raises(CommandError, match="1 changes since cors-"):
            audit(tmp_path, "--unchanged")

    def test_what_may_not_be_listed_is_a_failure(self, cast, settings, tmp_path):
        settings.PRODUCTION = True
        allow(cast.acme, "https://*.example.org")

        with pytest.raises(CommandError, match=r"tenant acme: 'https://\*.example.org' is a wildcard"):
            audit(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1


class TestCheck:
    def test_warns_of_what_came_past_the_validation(self, cast, settings):
        settings.PRODUCTION = True
        allow(cast.acme, "https://shop.example.org", "http://localhost:3000")

        found = [each for each in run_checks(databases=["default"]) if each.id == checks.BAD_TENANT_ORIGIN]

        assert len(found) == 1
        assert "acme" in found[0].msg

    def test_has_nothing_to_say_of_development(self, cast, settings):
        allow(cast.acme, "http://localhost:3000")

        assert not [each for each in run_checks(databases=["default"]) if each.id == checks.BAD_TENANT_ORIGIN]
