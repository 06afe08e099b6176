"""The metrics of synthetic checks, for the catalogue; `outcomes` makes them of what runners have counted."""

from core.metrics.families import Family, Named, declared, measured
from workers.synthetic.checks import CHECKS
from workers.synthetic.outcomes import FAILURE, SUCCESS

_REGION = Named("names of regions, from their runners", r"[a-z0-9-]{1,32}")
_CHECKS = tuple(CHECKS)

CHECKS_ENDED = declared.add(
    Family(
        "docent_synthetic_checks_total",
        "counter",
        "Synthetic checks that ended.",
        {"region": _REGION, "check": _CHECKS, "outcome": (SUCCESS, FAILURE)},
        __name__,
    )
)
CHECK_SECONDS = measured(
    "docent_synthetic_check_duration_seconds",
    "Duration of the last synthetic check.",
    {"region": _REGION, "check": _CHECKS},
)
LAST_RUN = measured(
    "docent_synthetic_last_run_timestamp_seconds", "Start of the last synthetic check.", {"region": _REGION}
)
