#!/usr/bin/env python
"""Django's command line. It starts no server: `make up` or `make demo` does."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    if sys.stderr.isatty() and sys.argv[1:2] != ["runserver"]:
        # Somebody reads along: a command's own report says what was done, the log what went wrong.
        os.environ.setdefault("LOG_LEVEL", "WARNING")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  # settings first

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
