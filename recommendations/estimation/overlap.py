"""The verdict on overlap: enough for an estimate or, where it is not, why, and what to do about it."""

from dataclasses import dataclass

from recommendations.algorithms.offpolicy.estimators import Overlap
from recommendations.placements.models import Placement
from recommendations.placements.rules import PlacementRules

# Of what a version shows so much may have had no chance to be shown; places count by their clicks.
MOST_UNSUPPORTED = 0.05
# What intervals need to be true: people, clicks, and pages and clicks as many as equally weighted ones would be.
FEWEST_PEOPLE, FEWEST_CLICKS = 50, 30
FEWEST_EFFECTIVE_PAGES, FEWEST_EFFECTIVE_CLICKS = 30.0, 15.0
NOT_ENOUGH = "not enough overlap"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` and `hint` are empty where there is enough."""

    enough: bool
    reason: str = ""
    hint: str = ""


def judge(overlap: Overlap, *, version: int, drawn: bool, arms: int, explicit: bool) -> Verdict:
    """Judge what a log like this can say of a version; `drawn`: anything was, on any page, besides the arm."""
    if not overlap.pages:
        return Verdict(
            enough=False,
            reason="no page has been kept from which anything could be estimated",
            hint=_no_pages(explicit),
        )
    missing = f"{overlap.unsupported:.0%} of what version {version} shows could not have been shown"
    if overlap.unsupported > MOST_UNSUPPORTED:
        if not drawn and arms < 2:
            return Verdict(
                enough=False,
                reason=f"nothing was drawn: every list was certain, and {missing}",
                hint="Serve a version with rotate_minutes for some days, or run an experiment with an arm of it.",
            )
        return Verdict(
            enough=False,
            reason=f"{missing} (at most {MOST_UNSUPPORTED:.0%} may be)",
            hint="Run an experiment: it shows users items that they would not get otherwise.",
        )
    few = [
        (overlap.people, FEWEST_PEOPLE, "users"),
        (overlap.clicks, FEWEST_CLICKS, "clicks"),
        (overlap.effective, FEWEST_EFFECTIVE_PAGES, "effective pages"),
        (overlap.effective_clicks, FEWEST_EFFECTIVE_CLICKS, "effective clicks"),
    ]
    short = [f"{count:.0f} {what} of the {least:.0f} that are needed" for count, least, what in few if count < least]
    if short:
        return Verdict(
            enough=False, reason=f"there are {' and '.join(short)}", hint="Repeat it when more pages have been shown."
        )
    return Verdict(enough=True)


def notes(rules: PlacementRules, place: Placement) -> tuple[str, ...]:
    """List what an estimate of these rules does not hold."""
    found = ["It covers the first 20 positions, by algorithms and rules, for users with their own list."]
    if rules.ai and place.ai:
        found.append("What AI would make of the head is not in it.")
    return tuple(found)


def _no_pages(explicit: bool) -> str:
    if explicit:
        return (
            "This tenant sends impressions as events, so the draw of pages is unknown; pages are stored only if every "
            "served page counts as an impression."
        )
    return "Pages are stored from the time they are served to users with their own list; wait some days."
