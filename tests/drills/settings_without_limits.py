"""A web process that bounds the text of filters and the bytes of bodies, and not the work: the drills must notice."""

from config.settings.test import *  # noqa: F403  # all but these
from core import json_text
from recommendations.placements.language import cost

BODY_LIMITS: dict[str, int] = {}
FILTER_COST_AT_ONCE = 10**9
cost.MAX_COST = cost.MAX_BATCH_COST = cost.MAX_BROWSER_COST = 10**9
cost.WORK = 10**15
json_text._check = lambda body, bounds: None  # the guard that is off
