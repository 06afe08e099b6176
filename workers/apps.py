from django.apps import AppConfig

from workers.celery import app


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        """Every process knows the broker: web, commands and tests enqueue too, from any of their threads."""
        app.set_default()
