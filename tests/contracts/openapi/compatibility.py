"""Finds changes of the OpenAPI document that break clients written against an earlier one."""

from collections.abc import Iterator
from typing import Any

from tests.contracts.document import operations

Document = dict[str, Any]
Schema = dict[str, Any]
# Bounds of what may be sent: a new one, or one moved in this direction, refuses what was taken before.
_LOWERED = ("maxLength", "maxItems", "maxProperties", "maximum")
_RAISED = ("minLength", "minItems", "minimum")


def breaks(old: Document, new: Document) -> list[str]:
    """Each thing that a client of the old document could rely on, and cannot with the new one."""
    now = {(operation.method, operation.path): operation.spec for operation in operations(new)}
    found: list[str] = []
    for operation in operations(old):
        where, spec = f"{operation.method} {operation.path}", now.get((operation.method, operation.path))
        if spec is None:
            found.append(f"{where} is gone")
            continue
        if spec["operationId"] != operation.id:
            found.append(f"{where} is called {spec['operationId']}, it was {operation.id}")
        if _scopes(operation.spec) - _scopes(spec):
            found.append(f"{where} does not serve {sorted(_scopes(operation.spec) - _scopes(spec))} any more")
        found += _parameters(where, operation.spec, spec, old, new)
        found += _request(where, operation.spec, spec, old, new)
        found += _answers(where, operation.spec, spec, old, new)
    return found


def _scopes(spec: Schema) -> set[str]:
    return {scope for need in spec.get("security", []) for names in need.values() for scope in names}


def _parameters(where: str, was: Schema, is_: Schema, old: Document, new: Document) -> Iterator[str]:
    before = {(each["in"], each["name"]): each for each in was.get("parameters", [])}
    after = {(each["in"], each["name"]): each for each in is_.get("parameters", [])}
    for key in before.keys() - after.keys():
        yield f"{where} does not take the parameter {key[1]} any more"
    for key, parameter in after.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"{where} demands the parameter {key[1]}"
        if key in before:
            yield from _sent(f"{where} {key[1]}", before[key]["schema"], parameter["schema"], old, new, ())


def _request(where: str, was: Schema, is_: Schema, old: Document, new: Document) -> Iterator[str]:
    before = was.get("requestBody", {}).get("content", {})
    after = is_.get("requestBody", {}).get("content", {})
    if after and not before:
        yield f"{where} demands a body"
    for kind, media in before.items():
        if kind not in after:
            yield f"{where} does not take {kind} any more"
        else:
            yield from _sent(f"{where} body", media.get("schema", {}), after[kind].get("schema", {}), old, new, ())


def _answers(where: str, was: Schema, is_: Schema, old: Document, new: Document) -> Iterator[str]:
    for status, response in was["responses"].items():
        if not status.startswith("2"):
            continue
        if status not in is_["responses"]:
            yield f"{where} does not answer {status} any more"
            continue
        after = is_["responses"][status].get("content", {})
        for kind, media in response.get("content", {}).items():
            if kind not in after:
                yield f"{where} does not answer {kind} any more"
            else:
                schemas = media.get("schema", {}), after[kind].get("schema", {})
                yield from _told(f"{where} {status}", *schemas, old, new, ())


def _sent(at: str, was: Schema, is_: Schema, old: Document, new: Document, seen: tuple[str, ...]) -> Iterator[str]:
    """Yields values that clients may no longer send."""
    if (name := was.get("$ref", "")) and name in seen:
        return
    was, is_, seen = _resolved(was, old), _resolved(is_, new), (*seen, name)
    if lost := _types(was, old) - _types(is_, new):
        yield f"{at}: {sorted(lost)} is not taken any more"
    yield from _narrowed(at, was, is_)
    yield from _tightened(at, was, is_)
    for required in set(is_.get("required", [])) - set(was.get("required", [])):
        yield f"{at}/{required} is demanded"
    for field, schema in was.get("properties", {}).items():
        if field not in is_.get("properties", {}):
            yield f"{at}/{field} is not taken any more"
        else:
            yield from _sent(f"{at}/{field}", schema, is_["properties"][field], old, new, seen)
    if "items" in was and "items" in is_:
        yield from _sent(f"{at}/*", was["items"], is_["items"], old, new, seen)


def _told(at: str, was: Schema, is_: Schema, old: Document, new: Document, seen: tuple[str, ...]) -> Iterator[str]:
    """Yields changes of answers that clients do not expect."""
    if (name := was.get("$ref", "")) and name in seen:
        return
    was, is_, seen = _resolved(was, old), _resolved(is_, new), (*seen, name)
    if more := _types(is_, new) - _types(was, old):
        yield f"{at} may be {sorted(more)}"
    yield from _narrowed(at, was, is_)
    yield from _widened(at, was, is_)
    for required in set(was.get("required", [])) - set(is_.get("required", [])):
        if required in is_.get("properties", {}):
            yield f"{at}/{required} may be missing"
    for field, schema in was.get("properties", {}).items():
        if field not in is_.get("properties", {}):
            yield f"{at}/{field} is gone"
        else:
            yield from _told(f"{at}/{field}", schema, is_["properties"][field], old, new, seen)
    if "items" in was and "items" in is_:
        yield from _told(f"{at}/*", was["items"], is_["items"], old, new, seen)


def _tightened(at: str, was: Schema, is_: Schema) -> Iterator[str]:
    for bound in _LOWERED:
        if is_.get(bound, float("inf")) < was.get(bound, float("inf")):
            yield f"{at}: {bound} is {is_[bound]}, it was {was.get(bound, 'none')}"
    for bound in _RAISED:
        if is_.get(bound, float("-inf")) > was.get(bound, float("-inf")) and is_[bound] != 0:
            yield f"{at}: {bound} is {is_[bound]}, it was {was.get(bound, 'none')}"


def _narrowed(at: str, was: Schema, is_: Schema) -> Iterator[str]:
    if "enum" in is_ and "enum" not in was and "const" not in was:
        yield f"{at} is one of {is_['enum']} only"
    if lost := [word for word in was.get("enum", []) if "enum" in is_ and word not in is_["enum"]]:
        yield f"{at} does not know {lost} any more"


def _widened(at: str, was: Schema, is_: Schema) -> Iterator[str]:
    """Generated clients refuse a word that their enum has not."""
    if "enum" in was and "enum" not in is_:
        yield f"{at} may be any word"
    if more := [word for word in is_.get("enum", []) if word not in was.get("enum", [word])]:
        yield f"{at} may also be {more}"


def _types(schema: Schema, document: Document) -> set[str]:
    """The JSON types that a schema names; of alternatives all of theirs. None named: any, which no set holds."""
    named = schema.get("type", [])
    found = {named} if isinstance(named, str) else set(named)
    for alternative in (*schema.get("anyOf", []), *schema.get("oneOf", [])):
        found |= _types(_resolved(alternative, document), document)
    return found


def _resolved(schema: Schema, document: Document) -> Schema:
    """The schema behind a reference, also one that stands alone in an allOf, or beside null."""
    while True:
        choices = schema.get("allOf", []) or schema.get("oneOf", [])
        parts = [each for each in choices if _resolved(each, document).get("type") != "null"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif len(parts) == 1:
            null = ["null"] if len(schema.get("oneOf", [])) == 2 else []
            inner = _resolved(parts[0], document)
            kinds = inner.get("type", [])
            schema = {**inner, "type": [*([kinds] if isinstance(kinds, str) else kinds), *null]}
        else:
            return schema
