"""A web process that hands nothing over when it stops: what the drill of impressions must notice."""

from config.settings.test import *  # noqa: F403  # all but one

WIND_UP = []
