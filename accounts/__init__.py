"""Who may call and for whom: tenants, plans, staff, API clients, tokens, feature flags, and the tenant scope."""
