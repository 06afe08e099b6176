"""The key scheme: one hash tag for each tenant, so that one node of a cluster holds all it has.

The key of a list does not name the snapshot: a publish overwrites the value, which begins with build and version.
"""


def user_list(tenant_id: int, placement: str, user_id: str) -> str:
    """One person's list at one placement."""
    return f"{{t:{tenant_id}}}:l:{placement}:{user_id}"


def reference_list(tenant_id: int, kind: str, subject: str = "") -> str:
    """A list that belongs to no person: popular, or the neighbours of an item."""
    return f"{{t:{tenant_id}}}:r:{kind}:{subject}"


def gone(tenant_id: int) -> str:
    """Items that may be in a cached list and must not be shown: a hash, item id -> `<unix second>|<nonce>`."""
    return f"{{t:{tenant_id}}}:gone"
