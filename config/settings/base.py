"""Every setting, by topic; safe for production. `dev.py` and `test.py` only override.

What each environment variable means stands in docs/operations/config.md.
"""

from datetime import timedelta
from pathlib import Path

from corsheaders.defaults import default_headers
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config import env
from config.settings.ai import *
from config.settings.api_document import spectacular_settings
from config.settings.observability import *
from config.settings.recommendations import *
from config.settings.series import *
from config.settings.servers import *
from config.settings.synthetic import *
from config.settings.tracing import *

# --- Security --------------------------------------------------------------------------------------------
PRODUCTION = True  # dev.py and test.py are not; system checks are stricter here (core.ops.checks)
DEBUG = False
SECRET_KEY = env.secret("SECRET_KEY")
SECRET_KEY_IS_PUBLIC = False  # only where dev.py falls back on the key that stands in it
LISTEN_HOST = env.text("HOST", "127.0.0.1")  # what config/gunicorn.py binds to
ERASURE_KEY = env.secret("ERASURE_KEY")  # empty: SECRET_KEY (core.pseudonyms)
ALLOWED_HOSTS = env.csv("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.csv("CSRF_TRUSTED_ORIGINS")
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("TRUST_FORWARDED_PROTO", default=False) else None
)
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# For pages: scripts and styles from here only, inline ones only with the answer's nonce; forms to here; in no frame.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
CORS_ALLOWED_ORIGINS = env.csv("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/api/"
CORS_PREFLIGHT_MAX_AGE = 600
# Those of our operations, then those that pages send without being asked: W3C Trace Context and Baggage, Sentry.
CORS_ALLOW_HEADERS = [
    *default_headers,
    *("idempotency-key", "if-match", "if-none-match", "x-request-id", "dpop"),
    *("traceparent", "tracestate", "baggage", "sentry-trace"),
    *env.header_names("CORS_ALLOWED_HEADERS"),
]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Allow",
    "Link",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Idempotent-Abridged",
    "Idempotent-Replayed",
    "WWW-Authenticate",
    "X-Request-ID",
]

# --- Applications ----------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "core",
    "accounts",
    "recommendations",
    "workers",
]
MIDDLEWARE = [
    "core.http.middleware.EdgeMiddleware",
    "core.http.middleware.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "core.http.csp.ContentPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.cors.middleware.OriginMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.staff.access.StaffAccessMiddleware",
    "accounts.tenancy.middleware.AdminScopeMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
# The first must answer though everything else hangs: the web server keeps a thread for it (core.web_server).
PROBE_PATHS = ["/healthz", "/readyz", "/metrics"]
# What a web process does before its first request, and what must hold besides the servers for it to serve.
WARM_UP = [
    "core.ops.memory.return_large_blocks",
    "accounts.tokens.access_tokens.ensure_configured",
    "accounts.tenancy.tenant_cache.start",
    "accounts.tokens.dpop.prime_all",
    "core.queue.warm_up",
    "recommendations.attribution.impression_buffer.start",
    "core.series.recorder.start",
    "recommendations.serving.ranking.prepared_cache.start",
]
# What a web process does when its last request has been answered.
WIND_UP = [
    "recommendations.attribution.impression_buffer.stop",
    "recommendations.serving.ranking.prepared_cache.stop",
    "core.series.recorder.stop",
]
PROBLEM_CODES = [
    "core.http.problem_codes.CODES",
    "accounts.api.problem_codes.CODES",
    "recommendations.api.problem_codes.CODES",
]
READINESS = {"tenants": "accounts.tenancy.tenant_cache.check_ready"}
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
# --- Staff: log-in, sessions, second factor, audit log ----------------------------------------------------
AUTHENTICATION_BACKENDS = ["accounts.staff.lockout.Backend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL, LOGIN_REDIRECT_URL = "admin:login", "admin:index"
# A browser takes such a name only over TLS, for every path, and from this very host: no subdomain can set it.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-docent-session", "__Host-docent-csrf"
SESSION_COOKIE_AGE = env.integer("STAFF_SESSION_SECONDS", 28_800, minimum=300, maximum=86_400)
STAFF_IDLE_SECONDS = env.integer("STAFF_IDLE_SECONDS", 3600, minimum=60, maximum=86_400)
STAFF_STEP_UP_SECONDS = env.integer("STAFF_STEP_UP_SECONDS", 600, minimum=0, maximum=86_400)
STAFF_TOTP = env.choice("STAFF_TOTP", "all", ("off", "superusers", "all"))
OTP_TOTP_ISSUER = "Docent"
AUDIT_DAYS = env.integer("AUDIT_DAYS", 365, minimum=90)
# Failed log-ins: of an account from one address, and from all of them but those that its owner is known by.
STAFF_ACCOUNT_FAILURES = env.integer("STAFF_ACCOUNT_FAILURES", 20, minimum=5)
AXES_FAILURE_LIMIT = env.integer("STAFF_ADDRESS_FAILURES", 5, minimum=2)
AXES_COOLOFF_TIME = timedelta(seconds=env.integer("STAFF_LOCKOUT_SECONDS", 900, minimum=60, maximum=86_400))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_HANDLER = "accounts.staff.lockout.Handler"
AXES_CLIENT_IP_CALLABLE = "accounts.staff.lockout.address"
AXES_USERNAME_CALLABLE = "accounts.staff.lockout.username"
AXES_LOCKOUT_CALLABLE = "accounts.staff.lockout.refused"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # not in a cookie
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "recommendations.ai.context_processors.simulated",
            ]
        },
    }
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(VAR_DIR / "static")))
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- API -------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.tokens.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.tokens.scopes.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.limits.throttles.PlanThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.http.json_body.BoundedJSONParser"],
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is CORS's; what an operation takes stands in the OpenAPI document
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "core.http.problem.handle",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core.http.json_body.JSONOnly",
}
SPECTACULAR_SETTINGS = spectacular_settings(simulated=AI_SIMULATED)

# --- Limits of tenants come from their plans; without Redis each process judges alone, at its share ------
WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", 2, minimum=1)
RATE_LIMIT_PROCESSES = env.integer("RATE_LIMIT_PROCESSES", WEB_CONCURRENCY, minimum=1)

# --- Tokens (RFC 9068) -----------------------------------------------------------------------------------
KEY_ENCRYPTION_KEYS = [key.strip() for key in env.secret("KEY_ENCRYPTION_KEYS").split(",") if key.strip()]
JWT_PRIVATE_KEY = env.secret("JWT_PRIVATE_KEY").replace("\\n", "\n")  # the ring's first key; env files hold one line
JWT_ALGORITHM = env.choice("JWT_ALGORITHM", "RS256", ("RS256", "ES256"))
JWT_ROTATE_DAYS = env.integer("JWT_ROTATE_DAYS", 90)  # 0: only by hand
JWT_PUBLISH_SECONDS = env.integer("JWT_PUBLISH_SECONDS", 900, minimum=1)
REFRESH_TOKEN_SECONDS = env.integer("REFRESH_TOKEN_SECONDS", 2_592_000, minimum=60)  # a family, from its grant on
REPLAY_AUDIT_DAYS = env.integer("REPLAY_AUDIT_DAYS", 365, minimum=1)
JWT_ISSUER = env.text("JWT_ISSUER", "docent")
JWT_AUDIENCE = env.text("JWT_AUDIENCE", "docent-api")
ACCESS_TOKEN_SECONDS = env.integer("ACCESS_TOKEN_SECONDS", 900, minimum=60, maximum=3600)
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ACCESS_TOKEN_SECONDS),
    "ALGORITHM": JWT_ALGORITHM,
    "USER_ID_CLAIM": "sub",
    "TOKEN_TYPE_CLAIM": "token_type",
    "ISSUER": JWT_ISSUER,
    "AUDIENCE": JWT_AUDIENCE,
    "LEEWAY": 0,
}
# What may be asked without a token is limited by address (core.ratelimit.ip_rate_limit).
ADDRESS_RATES = {
    "token": env.rate("TOKEN_RATE", "60/m"),
    "admin_login": env.rate("ADMIN_LOGIN_RATE", "10/m"),
    "public": env.rate("PUBLIC_RATE", "120/m"),
}
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, maximum=10)
RATELIMIT_IP_META_KEY = "core.http.client_address.client_ip"
RATELIMIT_USE_CACHE = "default"

# --- Webhooks --------------------------------------------------------------------------------------------
WEBHOOK_EVENTS = {
    "build.published": "New lists are served",
    "import.done": "An import has ended",
    "quota.warning": "80 % of the month's requests are used",
    "quota.exhausted": "All of the month's requests are used",
    "budget.warning": "80 % of an AI budget is spent",
    "budget.exhausted": "An AI budget is spent",
    "experiment.decided": "An experiment was decided",
    "webhook.test": "Sent manually, as a test",
}
WEBHOOK_ALLOW_LOCAL = env.flag("WEBHOOK_ALLOW_LOCAL", default=False)
WEBHOOK_TIMEOUT_SECONDS = env.seconds("WEBHOOK_TIMEOUT_SECONDS", 10.0, minimum=0.5, maximum=60.0)
WEBHOOK_LOG_DAYS = env.integer("WEBHOOK_LOG_DAYS", 30, minimum=3)

# --- Celery: options of the broker connection come from core.redis (workers/celery.py) -------------------
CELERY_BROKER_URL = env.secret("CELERY_BROKER_URL", REDIS_URL or "redis://127.0.0.1:1/0")
BUILD_NICE = env.integer("BUILD_NICE", 5, maximum=19)  # of a worker for builds and imports alone
TASK_TIME_LIMIT_SECONDS = env.integer("TASK_TIME_LIMIT_SECONDS", 1800, minimum=10)
BROKER_VISIBILITY_SECONDS = env.integer("BROKER_VISIBILITY_SECONDS", 3600, minimum=30)

# --- Checks ----------------------------------------------------------------------------------------------
SILENCED_SYSTEM_CHECKS: list[str] = []

if TASK_TIME_LIMIT_SECONDS >= BROKER_VISIBILITY_SECONDS:
    raise ImproperlyConfigured(
        "TASK_TIME_LIMIT_SECONDS must be below BROKER_VISIBILITY_SECONDS, "
        "else the broker hands a running task to a second worker."
    )
