"""The tests' settings with the logs of production: JSON lines from INFO on."""

from config.settings.test import *  # noqa: F403  # all but one

LOGGING = {"level": "INFO", "json": True}
