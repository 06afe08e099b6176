"""What one request may do: its rate, its quota and whether it is revoked, in one Redis round trip.

Callers give keys, names and limits: nothing here knows what a tenant or a list is.
"""

from core.admission.admit import check
from core.admission.decision import Decision, Outcome
from core.admission.policies import Limits, Nested, Quota, RateLimit
from core.admission.script import Read

__all__ = ["Decision", "Limits", "Nested", "Outcome", "Quota", "RateLimit", "Read", "check"]
