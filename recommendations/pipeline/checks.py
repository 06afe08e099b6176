"""System checks: the libraries that trainings need are installed."""

from ctypes import CDLL
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004

NO_RANKER = "recommendations.E003"
NO_OPENMP = "recommendations.W001"
_OPENMP = "libgomp.so.1"
_RANKER = "lightgbm"
RANKER_HINT = (
    "Install what requirements.txt pins (`pip install --require-hashes -r requirements.txt`; `apt install libgomp1` on "
    "Debian where that library is missing), or set RANKER=none."
)


@register()
def ranker_is_installed(**_: Any) -> list[CheckMessage]:
    """Builds would silently train without it. Looks it up without importing it."""
    if settings.RANKER == "none" or find_spec(_RANKER) is not None:
        return []
    text = f"RANKER={settings.RANKER} needs the package {_RANKER}, which is not installed."
    return [Error(text, hint=RANKER_HINT, id=NO_RANKER)]


@register()
def openmp_is_there(**_: Any) -> list[CheckMessage]:
    """Slim images lack it; trainings then go without ALS and a second stage."""
    try:
        CDLL(_OPENMP)
    except OSError:
        text = f"{_OPENMP} is missing: trainings do without ALS and without a second stage."
        hint = "Install it: `apt install libgomp1` on Debian. The container image has it."
        return [Warning(text, hint=hint, id=NO_OPENMP)]
    return []
