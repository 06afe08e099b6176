"""Roles shipped with the service, as groups of permissions. A superuser may change them, or add others.

`manage.py migrate` creates missing roles and leaves the others unchanged; `manage.py staff roles --restore` resets all
of them.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission

# Data about single end users: only for roles that need it, not for those that manage placements or read reports.
_PERSONAL = {"enduser", "interaction", "userlist", "impression", "exposure", "relatedpeople", "aisent", "feedback"}
_ACCESS = {"user", "signingkey", "refreshfamily", "refreshtoken", "revokedtoken", "replayattempt", "auditentry"}
_OURS = ("accounts", "recommendations", "core")
_PLACEMENTS = ("placement", "placementversion", "experiment", "experimentarm")


def _all_of(models: Iterable[str], *verbs: str) -> set[str]:
    return {f"{verb}_{model}" for model in models for verb in verbs}


def _viewed(*, personal: bool, access: bool) -> set[str]:
    names = {model._meta.model_name or "" for label in _OURS for model in apps.get_app_config(label).get_models()}  # noqa: SLF001
    return _all_of(names - (set() if personal else _PERSONAL) - (set() if access else _ACCESS), "view")


def shipped() -> dict[str, set[str]]:
    """Returns the codenames of each role's permissions."""
    viewer = _viewed(personal=False, access=False)
    everything = _viewed(personal=True, access=True)
    return {
        "Viewer": viewer,
        # Previews are of one person, whose id is asked for.
        "Merchandiser": viewer
        | _all_of(_PLACEMENTS, "add", "change", "delete")
        | {"change_eventtype", "view_enduser", "view_userlist"},
        "Analyst": viewer
        | {"view_interaction", "view_exposure", "view_impression", "view_userlist", "view_enduser"}
        | _all_of(("experiment", "experimentarm"), "add", "change"),
        "Operator": everything
        | _all_of(("tenant", "apiclient", "webhookendpoint", "featureflag", "ailimit"), "add", "change")
        | _all_of(("webhookendpoint", "featureflag", "ailimit", "tuning"), "delete")
        | {"change_artefact", "change_aiglobalbudget", "change_signingkey", "change_plan", "add_plan"}
        # What API clients may be given (accounts.staff.privileges): all but erasing people.
        | {"change_item", "change_enduser", "add_interaction"},
        "Privacy officer": viewer
        | _all_of(_PERSONAL | {"erasure", "auditentry", "replayattempt"}, "view")
        | _all_of(("retention", "airelease"), "add", "change")
        | {"delete_enduser"},
        "Auditor": everything,
    }


def ensure(*, using: str = "default", restore: bool = False) -> list[str]:
    """Creates missing roles, or resets all of them; returns the names of those written."""
    written = []
    for name, codenames in shipped().items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if made or restore:
            held = Permission.objects.using(using).filter(codename__in=codenames, content_type__app_label__in=_OURS)
            # Not `permissions.set`, which asks the router: migrations run as the owner, before the app has its rights.
            rows = Group.permissions.through.objects.using(using)
            rows.filter(group_id=group.pk).delete()
            rows.bulk_create(rows.model(group_id=group.pk, permission_id=each.pk) for each in held)
            written.append(name)
    return written


def after_migrate(sender: Any, using: str, **_: Any) -> None:
    """Creates missing roles after the last application has its permissions."""
    with_models = [config for config in apps.get_app_configs() if config.models_module is not None]
    if sender == with_models[-1]:
        ensure(using=using)
