# ruff: noqa: I001  # the variables come before the settings, Django before Celery
"""The WSGI entry: a web process keeps a pool of database connections and knows the broker."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
os.environ.setdefault("DB_POOL", "true")
# Requests stand side by side in threads already: those of numerical libraries would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from workers.celery import app as celery_app

from core.http import body_limits
from core.ops.checks import refuse_to_start
from core.http.locations import with_readable_paths
from core.http.wsgi_bodies import with_whole_bodies
from core.tracing.wsgi import with_spans

ordinary = with_whole_bodies(
    with_readable_paths(get_wsgi_application()), max_bytes=body_limits.max_bytes, large=settings.LARGE_BODIES
)
from recommendations.api.hot_reads import HotReads  # noqa: E402  # Django is ready now

application = with_spans(HotReads(ordinary))
refuse_to_start()
celery_app.set_default()
