"""The embedded default and the demo: one machine, plain HTTP on the loopback address."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-manage.py-without-a-running-service")

from config import env
from config.settings.base import *
from config.settings.base import SECRET_KEY, STATIC_ROOT, VAR_DIR

if (_secret := VAR_DIR / "secrets" / "secret_key").exists() and "SECRET_KEY_FILE" not in os.environ:
    SECRET_KEY = _secret.read_text(encoding="utf-8").strip()
if (_keys := VAR_DIR / "secrets" / "key_encryption_keys").exists() and "KEY_ENCRYPTION_KEYS_FILE" not in os.environ:
    KEY_ENCRYPTION_KEYS = [_keys.read_text(encoding="utf-8").strip()]

PRODUCTION = False
SECRET_KEY_IS_PUBLIC = SECRET_KEY.startswith("only-for-manage.py")
ALLOWED_HOSTS = env.csv("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 0
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "docent-session", "docent-csrf"  # the prefix of base is for TLS only
STAFF_TOTP = env.choice("STAFF_TOTP", "off", ("off", "superusers", "all"))
WEBHOOK_ALLOW_LOCAL = env.flag("WEBHOOK_ALLOW_LOCAL", default=True)
METRICS_PUBLIC = env.flag("METRICS_PUBLIC", default=True)

# Assets come straight from the packages: no collectstatic step.
WHITENOISE_USE_FINDERS = True
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
