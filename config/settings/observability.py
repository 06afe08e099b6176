"""Settings of logs and metrics. Read by base.py."""

import sys

from config import env

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING_CONFIG = "core.logging.configure"
# The share of successful reads that get a log line (core.http.request_log); all other requests always do.
LOG_READ_SAMPLE = env.share("LOG_READ_SAMPLE", 0.01)
# Lines for a program that collects them, unless they go to somebody's screen.
LOGGING = {"level": LOG_LEVEL, "json": env.flag("LOG_JSON", default=not sys.stderr.isatty())}
# Asked at each scrape, since they belong to no process.
MORE_METRICS = ["core.ops.measures.metrics", "workers.presence.metrics", "workers.synthetic.storage.metrics"]
# Measured for the whole deployment by a task (core.ops.measures).
MEASURES = [
    "core.ops.secret_files.measure",
    "accounts.keys.measures.measure",
    "accounts.limits.measures.measure",
    "recommendations.pipeline.measures.measure",
    "recommendations.ai.maintenance.measure",
]
# Modules that declare families, for docs/operations/metrics.md.
METRIC_MODULES = [
    "core.metrics",
    "core.idempotency.metrics",
    "core.ratelimit.metrics",
    "core.series.metrics",
    "core.webhooks.metrics",
    "accounts.metrics",
    "recommendations.metrics",
    "recommendations.ai.metrics",
    "recommendations.attribution.metrics",
    "recommendations.imports.metrics",
    "recommendations.pipeline.builds.metrics",
    "workers.metrics",
    "workers.synthetic.metrics",
]
METRICS_PUBLIC = env.flag("METRICS_PUBLIC", default=False)
METRICS_TOKEN = env.secret("METRICS_TOKEN")
METRICS_PORT = env.integer("METRICS_PORT", 0, maximum=65_535)  # 0: none of its own
PROMETHEUS_EXPORT_MIGRATIONS = False
