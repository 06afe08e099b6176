# ruff: noqa: I001  # Django is ready once the application is there
"""The service with one more address, whose view fails with an error that quotes a value in its details."""

from typing import Any

from config.wsgi import application
from django.urls import path

from config import urls

__all__ = ["application"]


def _fail(request: Any, user: str) -> Any:
    held = user[::-1]
    raise LookupError(f"the first line\nDETAIL: {held}")


urls.urlpatterns.insert(0, path("fails/<str:user>", _fail, name="fails"))
