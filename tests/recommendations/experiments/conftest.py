"""The fixtures of attribution: experiments are judged by its exposures."""

from tests.recommendations.attribution.conftest import admin_browser, collecting, tenant

__all__ = ["admin_browser", "collecting", "tenant"]
