from accounts.admin import clients, staff, tenants

__all__ = ["clients", "staff", "tenants"]
