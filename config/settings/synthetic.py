"""Settings of synthetic checks (workers.synthetic). Read by base.py."""

from django.core.exceptions import ImproperlyConfigured

from config import env

# The region that beat checks from; empty: none. Runners elsewhere need none of these settings.
SYNTHETIC_REGION = env.text("SYNTHETIC_REGION")
SYNTHETIC_BASE_URL = env.url("SYNTHETIC_BASE_URL")
SYNTHETIC_CLIENT_ID = env.secret("SYNTHETIC_CLIENT_ID")
SYNTHETIC_CLIENT_SECRET = env.secret("SYNTHETIC_CLIENT_SECRET")
SYNTHETIC_SECONDS = env.seconds("SYNTHETIC_SECONDS", 30.0, minimum=5.0, maximum=3600.0)
# Addresses of runners whose outcomes are kept for the admin, and for how long all outcomes are.
SYNTHETIC_RUNNERS = env.csv("SYNTHETIC_RUNNERS")
SYNTHETIC_DAYS = env.integer("SYNTHETIC_DAYS", 14, minimum=1, maximum=400)

if SYNTHETIC_REGION and not (SYNTHETIC_BASE_URL and SYNTHETIC_CLIENT_ID and SYNTHETIC_CLIENT_SECRET):
    raise ImproperlyConfigured(
        "SYNTHETIC_REGION needs SYNTHETIC_BASE_URL, SYNTHETIC_CLIENT_ID and SYNTHETIC_CLIENT_SECRET: "
        "manage.py synthetic_tenant makes the client."
    )
if unusable := [url for url in SYNTHETIC_RUNNERS if not url.startswith(("http://", "https://"))]:
    raise ImproperlyConfigured(f"SYNTHETIC_RUNNERS: {', '.join(unusable)} must start with http:// or https://.")
