"""Tenants, plans, staff, API clients, tokens, feature flags, and the tenant scope."""
