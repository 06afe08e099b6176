"""Data that a tenant has not released is not sent; data that is sent is logged without its texts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.ai.models import AIRelease, AISent
from recommendations.ai.privacy import request_log
from recommendations.ai.privacy.consent import SharingConsent, sharing_consent
from recommendations.ai.protocol import ProviderError
from recommendations.ai.reranking.rerank import subject_digest
from tests.recommendations.ai.asking import rerank
from tests.recommendations.ai.films import films


class TestReleased:
    def test_is_nothing_but_the_switch_by_default(self, tenant_id):
        assert sharing_consent(tenant_id) == SharingConsent(enabled=True)
        assert sharing_consent(tenant_id).user_attributes_to_share({"age": 44}) == {}

    def test_lets_only_named_attributes_pass_as_texts(self, tenant_id):
        with scope.tenant(tenant_id):
            AIRelease.objects.create(
                tenant_id=tenant_id, person_attributes=["country", "vip"], item_attributes=["studio", "tags"]
            )

        choice = sharing_consent(tenant_id)

        assert choice.user_attributes_to_share({"country": "DE", "vip": True, "email": "a@b.example"}) == {
            "country": "DE",
            "vip": "yes",
        }
        assert choice.of_item({"tags": ["a", "b"], "cost": 3, "studio": ""}) == {"tags": "a, b"}

    def test_the_switch_stops_every_call_at_the_gateway(self, make_gateway, tenant_id, openai_simulator):
        with scope.tenant(tenant_id):
            AIRelease.objects.create(tenant_id=tenant_id, enabled=False)

        with pytest.raises(ProviderError, match="switched AI off"):
            rerank(make_gateway(), tenant_id)

        assert openai_simulator.calls() == 0


class TestLog:
    def test_has_a_row_for_each_request_and_none_of_its_texts(self, make_gateway, tenant_id, openai_simulator):
        request = replace(films("p-1", size=4), user_attributes={"country": "Utopia"})

        make_gateway().rerank(tenant_id=tenant_id, request=request, now=clock.now(), deadline_seconds=5)

        with scope.tenant(tenant_id):
            row = AISent.objects.get()
        assert (row.purpose, row.model, row.subject) == ("rerank", "gpt-4.1-mini", subject_digest("p-1"))
        assert row.origin.startswith("simulator@127.0.0.1")
        assert row.contents["person"] == ["country"]
        assert (row.contents["history"], row.contents["candidates"]) == (1, 4)
        assert (
            row.size_bytes
            == sum(len(each["content"].encode()) for each in openai_simulator.state()["seen"][0]["body"]["messages"])
            + 1
        )
        assert not [text for text in ("Utopia", "Alien", "Film Nr") if text in str(row.contents)]

    def test_counts_what_was_sent_in_vain(self, make_gateway, tenant_id, openai_simulator):
        openai_simulator.fault("server_error", count=1)

        rerank(make_gateway(), tenant_id)

        with scope.tenant(tenant_id):
            assert AISent.objects.count() == openai_simulator.calls() == 2

    def test_forgets_a_person_and_what_is_too_old(self, make_gateway, tenant_id, openai_simulator):
        gateway, now = make_gateway(), clock.now()
        for person in ("p-1", "p-2"):
            gateway.rerank(tenant_id=tenant_id, request=films(person, size=4), now=now, deadline_seconds=5)

        assert request_log.delete_for_user(tenant_id=tenant_id, subject=subject_digest("p-1")) == 1
        assert request_log.purge(now=now + timedelta(days=29), keep_days=30) == 0
        assert request_log.purge(now=now + timedelta(days=31), keep_days=30) == 1
