from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    name = "recommendations"

    def ready(self) -> None:
        from recommendations.ai.config import checks as _ai  # noqa: F401, PLC0415  # registers system checks
        from recommendations.pipeline import checks as _pipeline  # noqa: F401, PLC0415  # registers system checks
        from recommendations.placements import cleanup, placement_cache  # noqa: PLC0415  # models are there now

        placement_cache.register()
        cleanup.subscribe()
