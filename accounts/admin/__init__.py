from accounts.admin import clients, staff, tenants, webhooks

__all__ = ["clients", "staff", "tenants", "webhooks"]
