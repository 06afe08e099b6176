from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    name = "recommendations"

    def ready(self) -> None:
        from recommendations.placements import known, leaving  # noqa: PLC0415  # models are there now

        known.register()
        leaving.subscribe()
