"""The key scheme: one hash tag for each tenant, so that one node of a cluster holds all it has.

The key of a list does not name the snapshot: a publish overwrites the value, which begins with build and version.
"""

import re
from functools import lru_cache

from core import process_caches
from core.pseudonyms import pseudonym

# The name of a placement holds no colon; an id of a person may.
_PERSONAL = re.compile(r"\{t:(\d+)\}:l:([^:]+):(.+)", re.DOTALL)


def user_list(tenant_id: int, placement: str, user_id: str) -> str:
    """One person's list at one placement."""
    return f"{{t:{tenant_id}}}:l:{placement}:{user_id}"


def reference_list(tenant_id: int, kind: str, subject: str = "") -> str:
    """A list that belongs to no person: popular, or the neighbours of an item."""
    return f"{{t:{tenant_id}}}:r:{kind}:{subject}"


def withdrawn(tenant_id: int) -> str:
    """Items that may be in a cached list and must not be shown: a hash, item id -> `<unix second>|<nonce>`."""
    return f"{{t:{tenant_id}}}:gone"


def lanes(tenant_id: int) -> str:
    """The near-line tasks that are at work for the tenant: a sorted set, lane -> until when."""
    return f"{{t:{tenant_id}}}:lanes"


def again(tenant_id: int) -> str:
    """There when somebody came while all lanes were taken."""
    return f"{{t:{tenant_id}}}:again"


def places(tenant_id: int) -> str:
    """The names of all placements at which lists may be in Redis, also of those that are no more; "" once complete."""
    return f"{{t:{tenant_id}}}:places"


def personal_lists(tenant_id: int, placement: str = "") -> str:
    """A pattern for SCAN that every person's list of the tenant matches, or those at one placement."""
    return f"{{t:{tenant_id}}}:l:{placement}:*" if placement else f"{{t:{tenant_id}}}:l:*"


def owner(key: str) -> tuple[int, str] | None:
    """Tenant and person of a `user_list` key; None for another key."""
    match = _PERSONAL.fullmatch(key)
    return (int(match[1]), match[3]) if match else None


def place(key: str) -> str | None:
    """The placement of a `user_list` key; None for another key."""
    match = _PERSONAL.fullmatch(key)
    return match[2] if match else None


@process_caches.clearable
@lru_cache(maxsize=20_000)
def tombstone(tenant_id: int, user_id: str) -> str:
    """There for a while after a person was erased: nobody may put a list of theirs back that was read before."""
    return f"{{t:{tenant_id}}}:x:{pseudonym('tombstone', tenant_id, user_id)}"
