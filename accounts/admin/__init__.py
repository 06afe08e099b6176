from accounts.admin import clients, retention, staff, tenants, webhooks

__all__ = ["clients", "retention", "staff", "tenants", "webhooks"]
