from accounts.models.audit import AuditEntry
from accounts.models.client import ApiClient
from accounts.models.flag import FeatureFlag
from accounts.models.retention import Retention
from accounts.models.signing_key import SigningKey
from accounts.models.staff import User
from accounts.models.synthetic import SyntheticOutcome
from accounts.models.tenant import Plan, Tenant
from accounts.models.tokens import RefreshFamily, RefreshToken, ReplayAttempt, RevokedToken
from accounts.models.usage import QuotaWarning, TenantUsage

__all__ = [
    "ApiClient",
    "AuditEntry",
    "FeatureFlag",
    "Plan",
    "QuotaWarning",
    "RefreshFamily",
    "RefreshToken",
    "ReplayAttempt",
    "Retention",
    "RevokedToken",
    "SigningKey",
    "SyntheticOutcome",
    "Tenant",
    "TenantUsage",
    "User",
]
