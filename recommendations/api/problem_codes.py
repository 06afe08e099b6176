"""Codes of problems about recommendations (core.http.problem_codes)."""

from core.http.problem_codes import Page

CODES = {
    "build_running": Page(
        "A build is running",
        (409,),
        "The tenant's lists are being computed already; a second build at the same time is not begun.",
        "Wait until the build has ended, and start it again if it is still wanted.",
    ),
    "version_published": Page(
        "A published version cannot be changed",
        (409,),
        "The version of the placement's rules was published; lists and comparisons refer to it.",
        "Make a draft from it, change that, and publish the draft.",
    ),
    "event_id_reused": Page(
        "The event_id belongs to another event",
        (422,),
        "An event of this person with this `event_id` is stored already and says something else: another item, type, "
        "value, time or context. Nothing was stored now. In batches and imports such a row is rejected with this code.",
        "Give each event an id of its own, and each line of an order too (such as order-7-1). To send one event again, "
        "send it as it was.",
    ),
    "no_earlier_artefact": Page(
        "There is no earlier artefact",
        (409,),
        "The tenant has no artefact before the active one that is still kept, so there is nothing to go back to.",
        "Look at the tenant's builds; a new build makes a new artefact.",
    ),
}
