"""`manage.py staff`: accounts of the admin. Each change is in the audit log, with the user and the reason."""

import json
import secrets
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit
from accounts.audit import Target
from accounts.models import Tenant, User
from accounts.staff import lockout, roles, second_factor
from accounts.tenancy import scope
from core import clock


class Command(BaseCommand):
    """One of: create, list, reset-totp, unlock, roles."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds one subcommand for each kind of change."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Create an account; its password is shown once.")
        create.add_argument("name")
        create.add_argument("--role", required=True, help=f"{', '.join(roles.shipped())}, superuser, or a group's name")
        create.add_argument("--tenant", metavar="SLUG", help="confine them to this tenant")
        create.add_argument("--email", default="")
        create.add_argument("--json", action="store_true", help="print the account as JSON")
        verbs.add_parser("list", help="Show all accounts.").add_argument("--json", action="store_true")
        reset = verbs.add_parser("reset-totp", help="Remove the second factor of an account whose device is lost.")
        unlock = verbs.add_parser("unlock", help="Clear the failed log-ins of an account.")
        for each in (reset, unlock):
            each.add_argument("name")
        restore = verbs.add_parser("roles", help="Create the roles shipped with the service, if missing.")
        restore.add_argument("--restore", action="store_true", help="reset all of them to their original permissions")
        for each in (create, reset, unlock, restore):
            each.add_argument("--reason", default="", help="kept in the audit log")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Raises: CommandError where a name is not known, or is taken."""
        do: Any = {
            "create": self._create,
            "list": self._list,
            "reset-totp": self._reset,
            "unlock": self._unlock,
            "roles": self._roles,
        }[verb]
        with scope.all_tenants("manage.py staff"):
            do(**options)

    def _create(self, *, name: str, role: str, tenant: str | None, email: str, **options: Any) -> None:
        superuser = role.lower() == "superuser"
        group = None if superuser else _role(role)
        if User.objects.filter(username=name).exists():
            raise CommandError(f"There is an account {name!r} already.")
        user = User(username=name, email=email, is_staff=True, is_superuser=superuser, tenant=_tenant(tenant))
        password = secrets.token_urlsafe(16)
        try:
            user.set_password(password)
            user.full_clean(exclude=["password"])
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        user.save()
        if group is not None:
            user.groups.add(group)
        self._note("added", user, options, changes=audit.difference({}, audit.snapshot(user)))
        shown = {"user": name, "password": password, "role": role, "tenant": tenant}
        if options["json"]:
            self.stdout.write(json.dumps(shown))
        else:
            self.stdout.write(f"{name}, {role}{f' of {tenant}' if tenant else ''}. Password, shown once: {password}")

    def _list(self, **options: Any) -> None:
        rows: list[dict[str, Any]] = [
            {
                "user": user.username,
                "tenant": user.tenant.slug if user.tenant else None,
                "roles": ["superuser"] if user.is_superuser else [group.name for group in user.groups.all()],
                "active": user.is_active,
                "second_factor": second_factor.get_device(user) is not None,
            }
            for user in _staff()
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for row in rows:
            where, factor = row["tenant"] or "all tenants", "second factor" if row["second_factor"] else "password only"
            state = "" if row["active"] else ", inactive"
            self.stdout.write(f"{row['user']}: {', '.join(row['roles']) or 'no role'}; {where}; {factor}{state}")

    def _reset(self, *, name: str, **options: Any) -> None:
        user = _user(name)
        gone = second_factor.reset(user)
        self._note("reset_second_factor", user, options)
        self.stdout.write(f"{name}: {gone} device removed. The password alone is enough until a new one is set up.")

    def _unlock(self, *, name: str, **options: Any) -> None:
        user = _user(name)
        failed = lockout.unlock(user.get_username())
        self._note("unlock", user, options)
        self.stdout.write(f"{name}: {failed} failures forgotten.")

    def _roles(self, *, restore: bool, **options: Any) -> None:
        written = roles.ensure(restore=restore)
        if written:
            self._note("roles_restored" if restore else "roles_made", None, options, note=", ".join(written))
        self.stdout.write(f"Written: {', '.join(written) or 'none, all are there'}.")

    def _note(self, action: str, user: User | None, options: dict[str, Any], **more: Any) -> None:
        audit.record(
            actor=audit.command_actor("staff"),
            action=action,
            now=clock.now(),
            target=Target.from_row(user) if user is not None else None,
            reason=options["reason"],
            **more,
        )


def _staff() -> list[User]:
    return list(User.objects.filter(is_staff=True).select_related("tenant").prefetch_related("groups"))


def _user(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"There is no account {name!r}; `manage.py staff list` shows all.")
    return found


def _role(name: str) -> Group:
    roles.ensure()
    found = Group.objects.filter(name__iexact=name).first()
    if found is None:
        known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(f"There is no role {name!r}. There are: superuser, {known}.")
    return found


def _tenant(slug: str | None) -> Tenant | None:
    if slug is None:
        return None
    found = Tenant.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no tenant {slug!r}. Its slug is shown in the admin.")
    return found
