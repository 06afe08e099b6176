"""Celery: the application, one base task, queues, schedules, and the tasks themselves."""
