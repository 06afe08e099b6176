"""What an application does when it is ready, and not because a module of it was imported."""

from accounts.limits import quota_warnings, quota_webhooks
from recommendations.ai import models as ai_models
from recommendations.pipeline import models as precompute_models


class TestImports:
    def test_models_register_no_system_checks(self):
        assert not hasattr(precompute_models, "checks")
        assert not hasattr(ai_models, "checks")

    def test_of_quota_webhooks_subscribe_nobody(self):
        before = list(quota_warnings._listeners)
        quota_webhooks.subscribe()

        assert quota_webhooks.tell in before  # since the application became ready
        assert quota_warnings._listeners == before
