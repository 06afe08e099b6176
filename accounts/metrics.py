"""The metrics of accounts. Labels are bounded: never a tenant, a client or a token."""

from prometheus_client import Counter

from core.metrics import start_at_zero

QUOTA_WARNINGS = Counter("quota_warnings_total", "Tenants that reached this percentage of their quota.", ["percent"])
JWT_REPLAY_PREVENTED = Counter(
    "jwt_replay_prevented_total", "Refresh tokens and DPoP proofs that were shown again and refused.", ["kind"]
)

start_at_zero(QUOTA_WARNINGS, ("80", "100"))
start_at_zero(JWT_REPLAY_PREVENTED, ("refresh", "dpop"))
