"""Structured logs: one JSON object per line, with the request or task id bound to every record."""

import logging.config
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

from core.quoting import quoted, quoted_lines

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
MAX_TEXT = 20_000


class _RouteForPath(logging.Filter):
    """Names the route where Django names the path, which may hold the id of a person: `Not Found: /users/...`."""

    def filter(self, record: logging.LogRecord) -> bool:
        match = getattr(getattr(record, "request", None), "resolver_match", None)
        what = record.getMessage().partition(":")[0]
        record.msg, record.args = "%s: %s", (what, match.view_name if match else "unmatched")
        return True


def _storable(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Texts may quote what came from outside: no line is forged, nothing breaks the output, nothing is endless."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = quoted_lines(value, MAX_TEXT) if name in ("exception", "stack") else quoted(value, MAX_TEXT)
    return event


def configure(options: dict[str, Any]) -> None:
    """Sets up structlog and the standard library's logging alike; `options`: `level`, `json`.

    Named by settings.LOGGING_CONFIG, so Django calls it once at start-up.
    """
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if options.get("json", True)
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": _SHARED,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        _storable,
                        renderer,
                    ],
                }
            },
            "filters": {"route_for_path": {"()": _RouteForPath}},
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["console"], "level": options.get("level", "INFO")},
            "loggers": {
                "django.server": {"level": "WARNING"},
                "django.request": {"level": "ERROR", "filters": ["route_for_path"]},
                "httpx2": {"level": "WARNING"},
                "openai": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
            },
        }
    )
