"""No tenant sees or changes another's: every operation of the OpenAPI document, by each kind of caller.

The requests are derived from the document; nothing is to be added here for a new operation, unless it needs no token.
What each caller may expect is accounts.isolation's, which `manage.py isolation_report` prints.
"""

import json

import pytest
from jsonschema import Draft202012Validator

from accounts.isolation import rules
from accounts.isolation.rules import ANONYMOUS, BROWSER, READER, STRANGER, Rule
from tests.contracts import requests
from tests.contracts.document import Operation, operations
from tests.contracts.requests import NOBODY, SECRET, Ids

# Whoever adds one says here why it needs no token.
PUBLIC = {
    "auth_token": "it gives tokens; it asks for the client's secret",
    "auth_revoke": "it takes tokens back; it asks for the client's secret",
    "jwks": "public keys",
    "oauth_metadata": "where the token endpoint is (RFC 8414)",
}
ORIGIN = "https://shop.example.org"
RULES = {rule.operation: rule for rule in rules.matrix()}
OPERATIONS = {operation.id: operation for operation in operations()}
WITH_TOKEN = [name for name in OPERATIONS if not RULES[name].public]


def test_every_operation_needs_a_token_or_says_why_not():
    without = {name for name in OPERATIONS if RULES[name].public}

    assert without - PUBLIC.keys() == set(), "Give these a scope, or say in PUBLIC why they need no token."
    assert PUBLIC.keys() - without == set(), "These are gone or need a token now; take them out of PUBLIC."


def test_every_operation_has_a_rule_for_every_caller():
    assert RULES.keys() == OPERATIONS.keys()
    assert all(rule.expected.keys() == set(rules.CALLERS) for rule in RULES.values())


@pytest.mark.parametrize("name", WITH_TOKEN)
def test_an_operation_serves_its_owner_and_nobody_else(service, name):
    operation, rule = OPERATIONS[name], RULES[name]
    acme, globex, ids = service.cast.acme, service.cast.globex, Ids.of(OPERATIONS[name])
    requests.prepare(service, acme.admin.token, ids)
    made = requests.made_for(operation, service, acme.admin.token, ids)
    sent = requests.request(operation, ids, made)
    before = _state(service, ids)

    anonymous = sent.by(service)
    reader = sent.by(service, acme.reader.token)
    told_reader = _class(reader.status)
    assert (anonymous.status, SECRET.encode() in anonymous.body) == (401, False)
    assert rule.expected[ANONYMOUS] == "401"
    assert told_reader == ("403" if rule.expected[READER] == "403" else "2xx"), (reader.status, reader.body)
    if rule.expected[READER] == "403":
        assert _state(service, ids) == before

    _check_stranger(service, operation, sent, ids, globex.admin.token)
    if rule.expected[READER] == "403":  # else the reader has read, and what was read may be counted
        assert _state(service, ids) == before, "A stranger changed what is acme's."

    _check_browser(service, rule, sent, ids)

    owner = sent.by(service, acme.admin.token)
    assert _class(owner.status) == "2xx", (owner.status, owner.body)
    _check_shape(operation, owner)


def _check_stranger(service, operation: Operation, sent, ids: Ids, token: str) -> None:
    """The stranger's answer is the one about things that there are not at all."""
    answer = sent.by(service, token)
    nothing = Ids(f"no-item-{operation.id}", f"no-user-{operation.id}")
    nobody = requests.request(operation, nothing, dict.fromkeys(_other_parameters(operation), NOBODY))
    about_nobody = nobody.by(service, token)

    assert SECRET.encode() not in answer.body, f"{operation} showed acme's to globex."
    assert (answer.status, _code(answer)) == (about_nobody.status, _code(about_nobody)), (
        f"{operation} tells globex apart what acme has from what there is not: {answer.body!r} {about_nobody.body!r}"
    )
    if ids.item_id not in sent.path and ids.user_id not in sent.path and sent.body is None:
        assert f'"{ids.item_id}"'.encode() not in answer.body
        assert f'"{ids.user_id}"'.encode() not in answer.body


def _check_browser(service, rule: Rule, sent, ids: Ids) -> None:
    """A person's browser gets what is that person's, from its origin; nothing of another person, nothing elsewhere."""
    own, other = (_browser_token(service, user_id) for user_id in (ids.user_id, NOBODY))
    before = _state(service, ids)
    elsewhere = sent.by(service, own, Origin="https://elsewhere.example.org")
    others = sent.by(service, other, Origin=ORIGIN)

    assert (elsewhere.status, others.status) == (403, 403), (elsewhere.body, others.body)
    assert SECRET.encode() not in elsewhere.body + others.body
    assert _state(service, ids) == before
    assert _class(sent.by(service, own, Origin=ORIGIN).status) == ("403" if rule.expected[BROWSER] == "403" else "2xx")


def _browser_token(service, user_id: str) -> str:
    body = json.dumps({"user_id": user_id, "origin": ORIGIN})
    answer = service.web.ask(
        "POST",
        "/api/v1/auth/end-user-token",
        token=service.cast.acme.admin.token,
        body=body,
        Content_Type="application/json",
    )
    return str(answer.json()["access_token"])


def _other_parameters(operation: Operation) -> list[str]:
    named = [each["name"] for each in operation.spec.get("parameters", []) if each["in"] == "path"]
    return [name for name in named if name not in {"item_id", "user_id"}]


def _code(answer) -> str:
    return answer.json().get("code", "") if answer.status >= 400 else ""


def _class(status: int) -> str:
    return "2xx" if 200 <= status < 300 else str(status)


def _state(service, ids: Ids) -> list[object]:
    """Acme's item, user and events with these ids."""
    token = service.cast.acme.admin.token
    paths = (f"/items/{ids.item_id}", f"/users/{ids.user_id}", f"/events?user_id={ids.user_id}")
    return [service.web.ask("GET", f"/api/v1{path}", token=token).json() for path in paths]


def _check_shape(operation: Operation, answer) -> None:
    documented = operation.spec["responses"]
    assert str(answer.status) in documented
    media = documented[str(answer.status)].get("content", {}).get("application/json")
    if media is None:
        assert answer.body == b""
        return
    errors = list(Draft202012Validator(requests.resolved(media["schema"])).iter_errors(json.loads(answer.body)))
    assert errors == [], errors[0].message


def test_a_rule_is_broken_by_a_scope_that_reads_more_than_it_says():
    """The rules are made from the document: a write under a scope of reading is told as open to readers."""
    rule = Rule.from_operation("x", "post", "/x", [{"oauth2": ["catalog:read"]}])

    assert (rule.expected[READER], rule.expected[STRANGER]) == ("own", "own or 404")
