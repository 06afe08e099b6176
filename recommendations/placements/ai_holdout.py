"""Which arm of a placement somebody is in: the same one always, whatever is built, and independent among placements.

The arm is stored with each list (`UserList.arm` and the list's provenance), so that impressions and clicks join it.
Experiments that want more arms replace `arm_of`; what reads the stored arm stays.
"""

from accounts.tenancy import flags

CONTROL = "control"
"""Lists that never meet AI, so that what AI brings can be measured."""
AI = "ai"
NONE = ""
"""Not in the comparison: AI was not wanted for this list, whatever the arm would have said."""


def arm_of(*, tenant_id: int, placement: str, user_id: str, control_percent: int) -> str:
    """Return the person's arm at a placement; ``control_percent`` of the people, always the same, are the control."""
    drawn = flags.bucket(f"arm:{placement}", tenant_id=tenant_id, user_id=user_id)
    return CONTROL if drawn < control_percent * 100 else AI


def explores(*, tenant_id: int, placement: str, user_id: str, percent: int) -> bool:
    """Tell whether somebody belongs to the share for whom AI runs behind a closed gate, so that it stays measured."""
    return flags.bucket(f"explore:{placement}", tenant_id=tenant_id, user_id=user_id) < percent * 100
