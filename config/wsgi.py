# ruff: noqa: E402, I001  # the variables come before the settings, Django before Celery
"""The WSGI entry: a web process keeps a pool of database connections and knows the broker."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
os.environ.setdefault("DB_POOL", "true")

from django.core.wsgi import get_wsgi_application
from workers.celery import app as celery_app

application = get_wsgi_application()
celery_app.set_default()
