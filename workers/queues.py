"""Queues by kind of work, so that a long training never stands before a fresh event.

Each queue has an exchange and a key of its own: queues that Celery puts on its default exchange share one key, and
every message would go to all of them.
"""

from kombu import Exchange, Queue

BUILD, NEARLINE, IMPORTS, DEFAULT = "docent.build", "docent.nearline", "docent.imports", "docent.default"
QUEUES = [Queue(name, Exchange(name, type="direct"), routing_key=name) for name in (NEARLINE, BUILD, IMPORTS, DEFAULT)]
ROUTES = {"build.*": {"queue": BUILD}, "nearline.*": {"queue": NEARLINE}, "imports.*": {"queue": IMPORTS}}
