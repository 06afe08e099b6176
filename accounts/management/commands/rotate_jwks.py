"""`manage.py rotate_jwks`: starts a rotation of the signing keys, and shows the ring."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import audit
from accounts.audit import Target
from accounts.keys import signing_keys
from accounts.keys.signing_keys import RotationPending
from accounts.models import SigningKey
from core import clock
from core.encryption import DecryptionFailed


class Command(BaseCommand):
    """One of the options, or none for an ordinary rotation; the ring is shown afterwards."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds one option for each kind of change."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--show", action="store_true", help="Change nothing.")
        what.add_argument("--if-due", action="store_true", help="Only when the key is older than JWT_ROTATE_DAYS.")
        what.add_argument(
            "--compromised",
            action="store_true",
            help="A key has leaked: a new one signs in 10 seconds, and all tokens issued until then are refused.",
        )
        what.add_argument(
            "--reseal", action="store_true", help="Encrypt the keys with the first of KEY_ENCRYPTION_KEYS."
        )
        parser.add_argument("--reason", default="", help="Why; kept in the audit log.")

    def handle(self, *args: Any, **options: Any) -> None:
        """One domain call, then the ring."""
        now = clock.now()
        try:
            self._run(options, now)
        except (RotationPending, DecryptionFailed) as error:
            raise CommandError(str(error)) from error
        moment = now.timestamp()
        ring = signing_keys.load_ring()
        for row in SigningKey.objects.all():
            until = f", accepted until {row.accepted_until:%Y-%m-%d %H:%M:%S}" if row.accepted_until else ""
            stage = ring.stage(ring.keys[row.kid], moment=moment)
            self.stdout.write(
                f"{row.kid}  {row.algorithm}  {stage:<8}  signs from {row.signs_from:%Y-%m-%d %H:%M:%S}{until} UTC"
            )

    def _run(self, options: dict[str, Any], now: datetime) -> None:
        if options["show"]:
            return
        with transaction.atomic():
            self._note(self._change(options, now), options, now)

    def _change(self, options: dict[str, Any], now: datetime) -> str:
        """Applies the change and returns its name; empty if nothing was due."""
        if options["reseal"]:
            self.stdout.write(f"Encrypted {signing_keys.reencrypt()} keys again.")
            return "reseal"
        if options["compromised"]:
            signing_keys.replace_compromised(now=now)
            return "replace_compromised"
        if options["if_due"]:
            return "rotate" if signing_keys.maintain(now=now) else ""
        signing_keys.load_ring()  # a ring that was never used is begun before it is rotated
        signing_keys.rotate(now=now)
        return "rotate"

    def _note(self, action: str, options: dict[str, Any], now: datetime) -> None:
        if action:
            audit.record(
                actor=audit.command_actor("rotate_jwks"),
                action=action,
                now=now,
                target=Target("accounts.signingkey"),
                reason=options["reason"],
            )
