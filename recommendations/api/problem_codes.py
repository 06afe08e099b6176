"""Codes of problems about recommendations (core.http.problem_codes)."""

from core.http.problem_codes import Page

CODES = {
    "build_running": Page(
        "A build is running",
        (409,),
        "A build of the tenant's lists is already running; a second one is not started.",
        "Wait until the build has ended, and start another if you still need it.",
    ),
    "version_published": Page(
        "A published version cannot be changed",
        (409,),
        "The version of the placement's rules was published; lists and comparisons refer to it.",
        "Create a draft from it, change and publish the draft.",
    ),
    "event_id_reused": Page(
        "The event_id belongs to another event",
        (422,),
        "An event of this user with this `event_id` is already stored with a different item, type, value, time or "
        "context. Nothing was stored. In batches and imports such a row is rejected with this code.",
        "Give each event its own id, also each line of an order (such as order-7-1). To repeat an event, send it "
        "unchanged.",
    ),
    "no_earlier_artefact": Page(
        "There is no earlier artefact",
        (409,),
        "No artefact older than the active one is kept, so there is nothing to roll back to.",
        "See the tenant's builds; a new build makes a new artefact.",
    ),
}
