"""Settings of traces and error reports, both off by default. Read by base.py."""

from config import env

TRACING_ENDPOINT = env.url("TRACING_ENDPOINT")
TRACING_TOKEN = env.secret("TRACING_TOKEN")
TRACING_SHARE = env.share("TRACING_SHARE", 0.1)
SENTRY_DSN = env.secret("SENTRY_DSN")
SENTRY_ENVIRONMENT = env.text("SENTRY_ENVIRONMENT", "production")
