"""Test settings with a route whose answers take a given time."""

from config.settings.test import *  # noqa: F403  # all but one

ROOT_URLCONF = "tests.core.slo.timed_urls"
