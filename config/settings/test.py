"""The test suite: the embedded servers of `make test`, a key of its own, quick hashing, quick refresh."""

import os

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

os.environ.setdefault("SECRET_KEY", "only-for-tests-only-for-tests-only-for-tests-0123456789")

from config import env
from config.settings import base
from config.settings.base import *

PRODUCTION = False
# One for all processes of a test run: they share keys.
KEY_ENCRYPTION_KEYS = base.KEY_ENCRYPTION_KEYS or ["b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtMDE="]
JWT_PRIVATE_KEY = base.JWT_PRIVATE_KEY or (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SECURE_SSL_REDIRECT = False
STAFF_TOTP = "off"
WEBHOOK_ALLOW_LOCAL = True  # receivers of tests listen on the loopback address
METRICS_PUBLIC = env.flag("METRICS_PUBLIC", default=True)
# Each test starts from one address, and many in the same minute.
ADDRESS_RATES = {**base.ADDRESS_RATES, "admin_login": "10000/m", "public": "10000/m"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AI_CONTROL_PERCENT = env.integer("AI_CONTROL_PERCENT", 0)  # tests of other things want AI for everybody
LOGGING = {"level": "WARNING", "json": False}

# Each process of the test run has a Redis database and a storage of its own.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker:
    STORAGE_DIR = f"{base.STORAGE_DIR}/{_worker}"
    STORAGES["default"]["OPTIONS"] = {"location": STORAGE_DIR}
    ARTEFACT_CACHE_DIR = f"{base.ARTEFACT_CACHE_DIR}/{_worker}"
if _worker and base.REDIS_URL:
    REDIS_URL = f"{base.REDIS_URL.rpartition('/')[0]}/{int(_worker.removeprefix('gw')) + 1}"
    CACHES["default"]["LOCATION"] = REDIS_URL
    CELERY_BROKER_URL = REDIS_URL

# Assets come straight from the packages: no collectstatic step.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True  # looked up when asked for, not listed for each test client
base.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
