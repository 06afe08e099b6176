from accounts.admin import clients, keys, retention, staff, tenants, tokens, webhooks

__all__ = ["clients", "keys", "retention", "staff", "tenants", "tokens", "webhooks"]
