"""The service with one more address, whose view fails with an error that quotes a secret in its details."""

from typing import Any

from django.urls import path

from config import urls
from config.wsgi import application

__all__ = ["application"]


def _fail(request: Any) -> Any:
    held = "-".join(["kept", "apart"])
    raise LookupError(f"the first line\nDETAIL: {held}")


urls.urlpatterns.insert(0, path("fails/<str:user>", _fail, name="fails"))
