"""Benchmarks of builds. Importing the package sets Django up, with a key of this process's own."""

import os

import django
from cryptography.fernet import Fernet

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
os.environ.setdefault("KEY_ENCRYPTION_KEYS", Fernet.generate_key().decode())
os.environ.setdefault("LOG_LEVEL", "ERROR")
django.setup()
