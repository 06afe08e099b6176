from accounts.models.client import ApiClient
from accounts.models.flag import FeatureFlag
from accounts.models.retention import Retention
from accounts.models.staff import User
from accounts.models.tenant import Plan, Tenant
from accounts.models.usage import QuotaWarning, TenantUsage

__all__ = ["ApiClient", "FeatureFlag", "Plan", "QuotaWarning", "Retention", "Tenant", "TenantUsage", "User"]
