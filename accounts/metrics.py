"""The metrics of accounts."""

from core.metrics.families import counter, measured

QUOTA_WARNINGS = counter(
    "quota_warnings_total",
    "Tenants that reached this percentage of their quota.",
    {"percent": ("80", "100")},
    from_zero=True,
)
JWT_REPLAY_PREVENTED = counter(
    "jwt_replay_prevented_total",
    "Refresh tokens and DPoP proofs that were shown again and refused.",
    {"kind": ("refresh", "dpop", "synthetic")},
    from_zero=True,
)
QUOTA_USE_BOUNDS = {"0-50": 0.5, "50-80": 0.8, "80-100": 1.0, "used_up": float("inf")}
QUOTA_USE = measured(
    "docent_quota_use_tenants",
    "Active tenants with a quota, by the percentage of it that is used this month.",
    {"used": tuple(QUOTA_USE_BOUNDS)},
)
SIGNING_KEY_AGE = measured(
    "docent_signing_key_age_seconds", "Time for which the current signing key has been signing tokens."
)
