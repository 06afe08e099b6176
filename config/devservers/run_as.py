"""The user that runs PostgreSQL, which refuses to run as root."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.devservers.errors import DevServerError

_NOBODY = 65534
_USER_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
# A change of user ids clears the death signal, hence it is set behind the change. The capability lets the server
# reach a checkout below a folder that only root may enter, such as root's home.
_SET_IDS = (
    "setpriv",
    f"--reuid={_NOBODY}",
    f"--regid={_NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--pdeathsig=INT",
)


class NoIdentity(DevServerError):
    """PostgreSQL cannot be run here as the current user."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A prefix that runs a command as a user who is not root, and the owner that its files need."""

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def own(self, tree: Path) -> None:
        """Give a folder and all within to this identity.

        Raises: NoIdentity when it belongs to somebody else and we may not change that.
        """
        if tree.stat().st_uid == self.uid:
            return
        if os.geteuid() != 0:
            raise NoIdentity(
                f"{tree} belongs to another user (id {tree.stat().st_uid}). "
                "Run this as that user, or remove the folder."
            )
        for path in (tree, *tree.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


# Root outside is user 1000 inside: the files stay root's.
IN_NAMESPACE = Identity(prefix=_USER_NAMESPACE, uid=0, gid=0)
AS_NOBODY = Identity(prefix=_SET_IDS, uid=_NOBODY, gid=_NOBODY)


@functools.cache
def find_identity() -> Identity:
    """Returns the current user; for root a user namespace, or the user `nobody` if namespaces are forbidden.

    Raises: NoIdentity when root has neither.
    """
    if os.geteuid() != 0:
        return Identity(prefix=(), uid=os.geteuid(), gid=os.getegid())
    for identity in (IN_NAMESPACE, AS_NOBODY):
        if _works(identity.prefix):
            return identity
    raise NoIdentity(
        "PostgreSQL refuses to run as root, and neither `unshare --user` nor `setpriv` (util-linux) works here. "
        "Run this as an ordinary user, or set DATABASE_URL and DATABASE_OWNER_URL to a server of yours."
    )


def _works(prefix: tuple[str, ...]) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    attempt = subprocess.run([*prefix, "true"], capture_output=True, check=False)  # noqa: S603  # constants above
    return attempt.returncode == 0
