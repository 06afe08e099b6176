"""Redis keys of the rate limiter. All keys of a tenant carry its hash tag, so that one cluster node holds them."""


def tag(tenant_id: int) -> str:
    """Returns the prefix of every key of the tenant, including the keys that a caller wants to read."""
    return f"{{t:{tenant_id}}}:"


def rate(tenant_id: int, policy: str, subject: str = "") -> str:
    """The theoretical arrival time (TAT) of a rate limit, in microseconds since `script.EPOCH`."""
    return f"{{t:{tenant_id}}}:rate:{policy}" + (f":{subject}" if subject else "")


def quota(tenant_id: int, month: str) -> str:
    """The units used in a month."""
    return f"{{t:{tenant_id}}}:quota:{month}"


def quota_dirty(tenant_id: int) -> str:
    """The set of months whose counter has moved since it was last written to Postgres."""
    return f"{{t:{tenant_id}}}:quota-dirty"


def generation(tenant_id: int) -> str:
    """Exists when the tenant's revocations have been loaded since Redis was last emptied."""
    return f"{{t:{tenant_id}}}:revoked"


def revoked_tenant(tenant_id: int) -> str:
    """Exists when every caller of the tenant is revoked."""
    return f"{{t:{tenant_id}}}:revoked:tenant"


def revoked_client(tenant_id: int, client_id: str) -> str:
    """Exists when the client is revoked."""
    return f"{{t:{tenant_id}}}:revoked:client:{client_id}"


def revoked_token(tenant_id: int, token_id: str) -> str:
    """Exists when the token is revoked."""
    return f"{{t:{tenant_id}}}:revoked:token:{token_id}"
