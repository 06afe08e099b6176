"""Template context of every admin page: labels simulated AI."""

from django.conf import settings
from django.http import HttpRequest


def simulated(request: HttpRequest) -> dict[str, bool]:
    """`ai_simulated` for templates."""
    return {"ai_simulated": settings.AI_SIMULATED}
