"""Reasons why an answer is not the intended one: the values of `degraded` in the API, in stored lists and statistics.

Each is decided where the better answer was not to be had; this module only owns the words. The reasons of the AI layer
are its own (`recommendations.ai.protocol.Reason`): a list keeps the one of the call that failed.
"""

from typing import get_args

from recommendations.ai import protocol

FLAG = "flag"  # personal lists or AI are switched off for the tenant or user
QUOTA = "quota"  # the month's quota is used up
NO_BUILD = "no_build"  # nothing has been built for the tenant, or for this user since they came
NO_ITEMS = "no_items"  # the catalogue holds nothing that may be shown
UNKNOWN_USER = "unknown_user"
DATABASE = "database"  # PostgreSQL did not answer in time
ARTEFACT = "artefact"  # the model is not in memory yet, or cannot be read
BUSY = "busy"  # no room to compute it now

DEGRADED = (FLAG, QUOTA, NO_BUILD, NO_ITEMS, UNKNOWN_USER, DATABASE, ARTEFACT, BUSY, *get_args(protocol.Reason))
