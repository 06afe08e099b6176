"""Queues by kind of work, so that a long training never stands before a fresh event."""

from kombu import Queue

BUILD, NEARLINE, DEFAULT = "docent.build", "docent.nearline", "docent.default"
QUEUES = [Queue(NEARLINE), Queue(BUILD), Queue(DEFAULT)]
ROUTES = {"build.*": {"queue": BUILD}, "nearline.*": {"queue": NEARLINE}}
