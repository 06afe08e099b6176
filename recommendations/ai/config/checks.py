"""System checks: a configuration with which AI cannot or may not be called stops the start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from core import clock
from recommendations.ai.config.prices import UnknownModel
from recommendations.ai.config.settings import AIConfiguration

BAD_CONFIGURATION = "recommendations.E001"
NO_PRICE = "recommendations.E002"


@register()
def check_ai_configuration(**_: Any) -> list[CheckMessage]:
    """Require a valid configuration and a price for every model where a key is set."""
    try:
        config = AIConfiguration.from_settings(settings)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See docs/operations/config.md, AI.", id=BAD_CONFIGURATION)]
    if not config.in_use:
        return []
    errors: list[CheckMessage] = []
    for name, model in (("OPENAI_MODEL", config.model), ("AI_EMBEDDING_MODEL", config.embedding_model)):
        try:
            if model:
                config.prices.price(model, on=clock.now().date())
        except UnknownModel as error:
            errors.append(Error(f"{name} has no price.", hint=str(error), id=NO_PRICE))
    return errors
