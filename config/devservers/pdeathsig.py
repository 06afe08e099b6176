"""Become another command that dies with its parent: `python -I -S pdeathsig.py SIGNAL PARENT COMMAND [ARGUMENT...]`.

Run by path and on its own, so that it starts in a few milliseconds. The kernel sends SIGNAL when the thread that
started this process ends, however it ends (prctl(2), PR_SET_PDEATHSIG); the setting survives exec and a new user
namespace, but not a change of user ids, where `setpriv --pdeathsig` has to set it again. Only Linux has it: elsewhere
a parent that is killed with SIGKILL leaves its children behind.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    """Never returns on success."""
    death_signal, parent, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    # The interpreter ignores these two, and an ignored signal stays ignored after exec.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above took hold
        return 1
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is what is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
