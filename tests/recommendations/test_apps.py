"""Work that an application does when it is ready, and not because a module of it was imported."""

from recommendations.ai import models as ai_models
from recommendations.pipeline import models as precompute_models


class TestImports:
    def test_models_register_no_system_checks(self):
        assert not hasattr(precompute_models, "checks")
        assert not hasattr(ai_models, "checks")
