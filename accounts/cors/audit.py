"""Audit report of CORS: the policy, every origin, invalid entries, and changes since the last report."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from corsheaders.conf import conf
from django.conf import settings

from accounts.models import Tenant
from accounts.tenancy import scope
from core import origins

_NAME = "cors-{at:%Y%m%dT%H%M%S%f}Z.json"
DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class Written:
    """A report, and where it was written."""

    path: Path
    report: Mapping[str, Any]


def policy() -> dict[str, Any]:
    """The policy for every origin: settings of the code, and the request headers that the deployment adds."""
    return {
        "addresses": conf.CORS_URLS_REGEX,
        "methods": list(conf.CORS_ALLOW_METHODS),
        "request_headers": list(conf.CORS_ALLOW_HEADERS),
        "exposed_headers": list(conf.CORS_EXPOSE_HEADERS),
        "preflight_seconds": conf.CORS_PREFLIGHT_MAX_AGE,
        "credentials": conf.CORS_ALLOW_CREDENTIALS,
        "private_network": conf.CORS_ALLOW_PRIVATE_NETWORK,
        "any_origin": conf.CORS_ALLOW_ALL_ORIGINS,
        "patterns": [str(pattern) for pattern in conf.CORS_ALLOWED_ORIGIN_REGEXES],
    }


def write(*, folder: Path, now: datetime) -> Written:
    """Writes a report beside the earlier ones; it says what changed since the last of them."""
    folder.mkdir(parents=True, exist_ok=True)
    earlier = sorted(folder.glob("cors-*.json"))
    last = json.loads(earlier[-1].read_text(encoding="utf-8")) if earlier else None
    lists = _lists()
    report = {
        "at": now.isoformat(),
        "policy": policy(),
        "origins": lists,
        "refused": [
            {"list": name, "origin": origin, "reason": reason}
            for name, listed in lists.items()
            for origin in listed
            if (reason := origins.refusal_reason(origin, production=settings.PRODUCTION))
        ],
        "compared_with": earlier[-1].name if earlier else None,
        "changes": list(_changes(last, policy(), lists)) if last else [],
    }
    path = folder / _NAME.format(at=now)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return Written(path, report)


def _lists() -> dict[str, list[str]]:
    with scope.all_tenants("CORS audit"):
        rows = list(Tenant.objects.filter(active=True).order_by("slug").values_list("slug", "allowed_origins"))
    own = {f"tenant {slug}": sorted(listed) for slug, listed in rows if listed}
    return {DEPLOYMENT: sorted(settings.CORS_ALLOWED_ORIGINS), **own}


def _changes(
    last: Mapping[str, Any], held: Mapping[str, Any], lists: Mapping[str, list[str]]
) -> Iterator[dict[str, Any]]:
    before = last["origins"]
    for name in sorted({*before, *lists}):
        old, new = set(before.get(name, ())), set(lists.get(name, ()))
        yield from ({"change": "added", "list": name, "origin": origin} for origin in sorted(new - old))
        yield from ({"change": "removed", "list": name, "origin": origin} for origin in sorted(old - new))
    for name in sorted({*last["policy"], *held}):
        old_value, new_value = last["policy"].get(name), held.get(name)
        if old_value != new_value:
            yield {"change": "policy", "name": name, "before": old_value, "after": new_value}
