from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core.ops import checks, redis_checks  # noqa: F401, PLC0415  # registers the system checks
        from core.postgres import checks as postgres_checks  # noqa: F401, PLC0415
        from core.tracing import start  # noqa: PLC0415

        start.from_settings()
