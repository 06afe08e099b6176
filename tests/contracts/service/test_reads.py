"""Every GET of the OpenAPI document: validators, caching headers, pages. Nothing is to be added for a new one."""

from urllib.parse import quote

import pytest

from tests.contracts import requests
from tests.contracts.document import Operation, operations
from tests.contracts.requests import Ids

READS = {each.id: each for each in operations() if each.method == "get" and each.spec.get("security")}
LISTS = [
    name
    for name, each in READS.items()
    if any(parameter["name"] == "cursor" for parameter in each.spec.get("parameters", []))
]
# Reads that are different each time: nothing to compare.
NEVER_THE_SAME = {"usage", "user_export"}
# Lists that the requests here do not fill; tests of their own walk their pages.
ONE_PAGE = {
    "import_errors_list": "tests/recommendations/api/v1/test_import_jobs.py",
    "user_related": "tests/recommendations/api/v1/test_similar_users.py",
    "insights_placements": "tests/recommendations/api/v1/test_insights.py",
}


@pytest.fixture(scope="module", autouse=True)
def _more_than_a_page(service):
    """Lists for everybody may be some seconds old, and so must have two pages from the first read on."""
    for number in range(3):
        requests.prepare(service, service.cast.acme.admin.token, Ids(f"first-{number}", f"first-{number}"))


def _sent(service, operation: Operation) -> requests.Sent:
    ids, token = Ids.of(operation), service.cast.acme.admin.token
    requests.prepare(service, token, ids)
    return requests.request(operation, ids, requests.made_for(operation, service, token, ids))


@pytest.mark.parametrize("name", READS)
def test_a_read_says_how_it_may_be_kept(service, name):
    answer = _sent(service, READS[name]).by(service, service.cast.acme.admin.token)
    kept = answer.headers["cache-control"]

    assert answer.status == 200
    assert "private" in kept or "no-store" in kept
    if "no-store" not in kept:
        assert {"authorization", "origin"} <= {word.strip().lower() for word in answer.headers["vary"].split(",")}


@pytest.mark.parametrize("name", [name for name in READS if name not in NEVER_THE_SAME])
def test_a_read_that_has_not_changed_is_304_without_a_body(service, name):
    operation, token = READS[name], service.cast.acme.admin.token
    sent = _sent(service, operation)
    tag = sent.by(service, token).headers["etag"]
    again = sent.by(service, token, If_None_Match=f'"other", W/{tag}')

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert {"304"} <= operation.spec["responses"].keys()
    assert any(each["name"] == "If-None-Match" for each in operation.spec["parameters"])


@pytest.mark.parametrize("name", LISTS)
def test_a_page_is_bounded(service, name):
    sent, token = _sent(service, READS[name]), service.cast.acme.admin.token
    mark = "&" if "?" in sent.path else "?"

    for bad in ("limit=0", "limit=201", "limit=x", "cursor=x", "offset=1"):
        answer = service.web.ask("GET", f"{sent.path}{mark}{bad}", token=token)
        assert (answer.status, answer.json()["code"]) == (422, "invalid"), bad
        assert answer.json()["errors"][0]["pointer"] == f"/{bad.partition('=')[0]}"


@pytest.mark.parametrize("name", [name for name in LISTS if name not in ONE_PAGE])
def test_a_cursor_is_good_for_its_tenant_only(service, name):
    operation, acme, globex = READS[name], service.cast.acme.admin.token, service.cast.globex.admin.token
    sent = _sent(service, operation)
    for number in range(2):
        requests.prepare(service, acme, Ids(f"{name}-{number}", f"{name}-{number}"))
    mark = "&" if "?" in sent.path else "?"
    first = service.web.ask("GET", f"{sent.path}{mark}limit=1", token=acme)
    cursor = first.json()["next"]
    assert cursor, f"{name} has one page here: make two in requests.prepare(), or name the test of its own in ONE_PAGE."

    second = service.web.ask("GET", f"{sent.path}{mark}limit=1&cursor={quote(cursor)}", token=acme)
    stolen = service.web.ask("GET", f"{sent.path}{mark}limit=1&cursor={quote(cursor)}", token=globex)
    # Not the last character: some of its bits are padding, and another one may stand for the same bytes.
    altered = cursor[:-8] + ("A" if cursor[-8] != "A" else "B") + cursor[-7:]
    forged = service.web.ask("GET", f"{sent.path}{mark}limit=1&cursor={quote(altered)}", token=acme)

    assert second.status == 200
    assert second.body != first.body
    assert stolen.status in {404, 422}
    assert forged.status == 422
