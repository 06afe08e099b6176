"""System checks of builds: a second stage that is wanted must be there to be trained and read."""

from ctypes import CDLL
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004

NO_RANKER = "recommendations.E003"
NO_OPENMP = "recommendations.W001"
_OPENMP = "libgomp.so.1"
RANKER_HINT = (
    "Install it with `pip install --require-hashes -r requirements-lightgbm.txt` (for the image: "
    "`docker build --build-arg EXTRA=lightgbm`), or set RANKER=none."
)


def lacks_ranker(name: str) -> bool:
    """Whether this second stage needs a package that is not installed; finds out without importing it."""
    return name != "none" and find_spec(name) is None


@register()
def ranker_is_installed(**_: Any) -> list[CheckMessage]:
    """Else builds would fail hours later, or leave it out unseen."""
    if not lacks_ranker(settings.RANKER):
        return []
    text = f"RANKER={settings.RANKER} needs the package {settings.RANKER}, which is not installed."
    return [Error(text, hint=RANKER_HINT, id=NO_RANKER)]


@register()
def openmp_is_there(**_: Any) -> list[CheckMessage]:
    """Slim images lack it; then ALS takes no part, and the second stage cannot be read."""
    try:
        CDLL(_OPENMP)
    except OSError:
        text = f"{_OPENMP} is missing: trainings do without ALS."
        hint = "Install it: `apt install libgomp1` on Debian. The container image has it."
        if settings.RANKER != "none":
            return [Error(f"{text} RANKER={settings.RANKER} cannot work.", hint=hint, id=NO_OPENMP)]
        return [Warning(text, hint=hint, id=NO_OPENMP)]
    return []
