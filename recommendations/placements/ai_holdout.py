"""AI holdout: a stable share of a placement's users who never get AI lists, independent between placements.

The arm is stored with each list (`UserList.arm` and the list's provenance), and so reaches impressions and clicks.
Experiments with more arms replace `holdout_arm`; readers of the stored arm stay the same.
"""

from accounts.tenancy import flags

CONTROL = "control"
"""The holdout: lists without AI, against which the effect of AI is measured."""
AI = "ai"
NONE = ""
"""Not compared: the list is not eligible for AI, whatever its arm."""


def holdout_arm(*, tenant_id: int, placement: str, user_id: str, control_percent: int) -> str:
    """The user's arm at a placement; a stable `control_percent` of the users is held out."""
    bucket = flags.bucket(f"arm:{placement}", tenant_id=tenant_id, user_id=user_id)
    return CONTROL if bucket < control_percent * 100 else AI


def is_explored(*, tenant_id: int, placement: str, user_id: str, percent: int) -> bool:
    """True for the share of users who get AI even if the uplift gate is closed, so that uplift stays measured."""
    return flags.bucket(f"explore:{placement}", tenant_id=tenant_id, user_id=user_id) < percent * 100
