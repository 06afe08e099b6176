"""Settings of the servers that we need, and of how requests are read: PostgreSQL, Redis, threads. Read by base.py."""

from pathlib import Path

from config import devservers, env

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(env.text("VAR_DIR", str(BASE_DIR / "var")))

# --- Servers: the variables, else the embedded ones that run, else a hint (core.ops.checks) -----------------
_running = devservers.find_running(VAR_DIR)
DATABASE_URL = env.secret("DATABASE_URL", (_running.database_url or "") if _running else "")
DATABASE_OWNER_URL = env.secret("DATABASE_OWNER_URL", (_running.database_owner_url or "") if _running else "")
REDIS_URL = env.secret("REDIS_URL", (_running.redis_url or "") if _running else "")
NO_SERVERS_HINT = (
    "No servers: set DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL, or start the embedded ones with `make up`."
)

# --- Databases: the app's role serves, the owner's migrates (architecture.md, tenant scope) --------------
DB_POOL = env.flag("DB_POOL", default=False)  # config/wsgi.py turns it on; workers keep one connection each
DB_POOL_MAX_SIZE = env.integer("DB_POOL_MAX_SIZE", 8, minimum=1)
DB_POOL_TIMEOUT_SECONDS = env.seconds("DB_POOL_TIMEOUT_SECONDS", 2.0, minimum=0.1)
DB_CONNECT_TIMEOUT_SECONDS = env.integer("DB_CONNECT_TIMEOUT_SECONDS", 2, minimum=1)
# Fewer than WEB_THREADS, so that a PostgreSQL that hangs leaves some for what needs none (core.postgres.guard).
WEB_THREADS = env.integer("WEB_THREADS", 6, minimum=1)
DB_WAITING_THREADS = env.integer("DB_WAITING_THREADS", max(1, WEB_THREADS - 2), minimum=1)
API_DEADLINE_SECONDS = env.seconds("API_DEADLINE_SECONDS", 10.0, minimum=1.0)
# For workers, and a lower limit for requests, whose statements end at the request's deadline anyway. 0 is none.
DB_STATEMENT_TIMEOUT_SECONDS = env.seconds("DB_STATEMENT_TIMEOUT_SECONDS", 0.0)
MIGRATION_LOCK_TIMEOUT_SECONDS = env.seconds("MIGRATION_LOCK_TIMEOUT_SECONDS", 5.0, minimum=0.1)
# A peer that is gone without a word is noticed after 10 + 3 x 3 s, or 10 s after something was sent to it.
DB_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def _database(name: str, url: str, *, pool: bool) -> dict[str, object]:
    database = env.database(name, url)
    options: dict[str, object] = {
        "connect_timeout": DB_CONNECT_TIMEOUT_SECONDS,
        **DB_KEEPALIVES,
        **database["OPTIONS"],
    }
    if pool:
        options["pool"] = {
            "min_size": min(2, DB_POOL_MAX_SIZE),
            "max_size": DB_POOL_MAX_SIZE,
            "timeout": DB_POOL_TIMEOUT_SECONDS,
        }
    return {
        "ENGINE": "core.postgres",
        "CONN_MAX_AGE": 0 if pool else 60,
        "CONN_HEALTH_CHECKS": not pool,  # those of the pool are checked when they are given out
        **database,
        "OPTIONS": options,
    }


DATABASES = {
    "default": _database("DATABASE_URL", DATABASE_URL or "postgresql://none@127.0.0.1:1/none", pool=DB_POOL),
    "owner": _database(
        "DATABASE_OWNER_URL", DATABASE_OWNER_URL or DATABASE_URL or "postgresql://none@127.0.0.1:1/none", pool=False
    ),
}
DATABASE_ROUTERS = ["accounts.tenancy.scope.AppRouter"]

# --- Redis: options come from core.redis, and nowhere else -----------------------------------------------
REDIS_CONNECT_TIMEOUT_SECONDS = env.seconds("REDIS_CONNECT_TIMEOUT_SECONDS", 0.1, minimum=0.01)
REDIS_READ_TIMEOUT_SECONDS = env.seconds("REDIS_READ_TIMEOUT_SECONDS", 0.2, minimum=0.01)
REDIS_MAX_CONNECTIONS = env.integer("REDIS_MAX_CONNECTIONS", 32, minimum=1)
REDIS_SENTINEL_PASSWORD = env.secret("REDIS_SENTINEL_PASSWORD")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL or "redis://127.0.0.1:1/0",
        "KEY_PREFIX": "docent",
        "OPTIONS": {},
    }
}
DJANGO_REDIS_CONNECTION_FACTORY = "core.redis.CacheConnectionFactory"

# --- How requests are read (core.web_server) -------------------------------------------------------------
REQUEST_READ_SECONDS = env.seconds("REQUEST_READ_SECONDS", 10.0, minimum=0.5, maximum=300.0)
REQUEST_BYTES_PER_SECOND = env.integer("REQUEST_BYTES_PER_SECOND", 8192, minimum=1)
UPLOAD_THREADS = env.integer("UPLOAD_THREADS", 2, minimum=1)
