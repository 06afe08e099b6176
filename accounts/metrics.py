"""The metrics of accounts. Labels are bounded: never a tenant, a client or a token."""

from prometheus_client import Counter

QUOTA_WARNINGS = Counter("quota_warnings_total", "Tenants that reached this percentage of their quota.", ["percent"])
JWT_REPLAY_PREVENTED = Counter(
    "jwt_replay_prevented_total", "Refresh tokens and DPoP proofs that were shown again and refused.", ["kind"]
)
