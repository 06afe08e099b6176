from accounts.admin import (
    audit_log,
    clients,
    keys,
    retention,
    second_factor,
    service_levels,
    staff,
    synthetic,
    tenants,
    tokens,
    webhooks,
)

__all__ = [
    "audit_log",
    "clients",
    "keys",
    "retention",
    "second_factor",
    "service_levels",
    "staff",
    "synthetic",
    "tenants",
    "tokens",
    "webhooks",
]
