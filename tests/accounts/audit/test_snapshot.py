"""Snapshots hide credentials and end users' data."""

import pytest
from django.contrib import admin

from accounts import audit
from core.webhooks.models import WebhookEndpoint
from recommendations.models import EndUser


class TestRedaction:
    def test_hides_credentials_and_what_they_come_from(self, cast):
        kept = audit.snapshot(cast.acme.reader.client)

        changes = audit.difference({}, kept)
        assert changes["secret_hash"] == {"from": None, "to": "(hidden)"}
        assert cast.acme.reader.client.secret_hash not in str(changes)
        assert changes["name"]["to"] == "reader"

    def test_hides_what_an_address_may_carry(self):
        endpoint = WebhookEndpoint(tenant_id=1, url="https://user:pass@hooks.example.org/a?token=abc", events=[])

        shown = str(audit.difference({}, audit.snapshot(endpoint)))
        assert "hooks.example.org/a" in shown
        assert "pass" not in shown
        assert "abc" not in shown

    def test_hides_end_users_altogether(self):
        person = EndUser(user_id="anna@example.org", attributes={"name": "Anna"})

        assert "nna" not in str(audit.difference({}, audit.snapshot(person, personal=True)))

    @pytest.mark.parametrize(
        "label", ["EndUser", "Interaction", "UserList", "RelatedPeople", "Impression", "Exposure", "AISent"]
    )
    def test_pages_about_end_users_are_marked_so(self, label):
        (page_of,) = [each for model, each in admin.site._registry.items() if model.__name__ == label]

        assert getattr(page_of, "personal", False)
