"""What every page must say about AI: whether a simulator answers in its place."""

from django.conf import settings
from django.http import HttpRequest


def simulated(request: HttpRequest) -> dict[str, bool]:
    """`ai_simulated` for templates."""
    return {"ai_simulated": settings.AI_SIMULATED}
