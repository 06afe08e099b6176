"""Settings of recommendations: builds, near line, imports, retention and storage. Read by base.py."""

from config import env
from config.settings.servers import VAR_DIR

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # bytes, of every body but an import's; BODY_LIMITS is lower by path
FILTER_COST_AT_ONCE = env.integer("FILTER_COST_AT_ONCE", 500, minimum=1)  # comparisons, of a tenant in a process
PROCESS_REFRESH_SECONDS = env.seconds("PROCESS_REFRESH_SECONDS", 2.0, minimum=0.2, maximum=5.0)
LIST_TTL_SECONDS = env.integer("LIST_TTL_SECONDS", 7 * 86_400, minimum=60)
BUILD_CHUNK_SIZE = env.integer("BUILD_CHUNK_SIZE", 512, minimum=1)
BUILD_LEASE_SECONDS = env.seconds("BUILD_LEASE_SECONDS", 8.0, minimum=1.0)
BUILD_KEEP = env.integer("BUILD_KEEP", 2, minimum=1)
RANK_SECONDS = env.seconds("RANK_SECONDS", 0.8, minimum=0.05, maximum=5.0)
RANKS_AT_ONCE = env.integer("RANKS_AT_ONCE", 3, minimum=1)  # in a process
ARTEFACTS_IN_MEMORY = env.integer("ARTEFACTS_IN_MEMORY", 8, minimum=2)  # of a process, mapped
ARTEFACT_KEEP = env.integer("ARTEFACT_KEEP", 5, minimum=1)
CACHE_WARM_LISTS = env.integer("CACHE_WARM_LISTS", 100_000)  # people, the last active first
BUILD_FIRST_EVENTS = env.integer("BUILD_FIRST_EVENTS", 100, minimum=1)
NIGHTLY_BUILD_HOUR = env.integer("NIGHTLY_BUILD_HOUR", 3, maximum=23)  # UTC
FRESH_DEBOUNCE_SECONDS = env.seconds("FRESH_DEBOUNCE_SECONDS", 4.0)
FRESH_PEOPLE_PER_ITEM = env.integer("FRESH_PEOPLE_PER_ITEM", 100, minimum=0)
FRESH_PEOPLE_PER_MINUTE = env.integer("FRESH_PEOPLE_PER_MINUTE", 1_000, minimum=0)
NEARLINE_DEBOUNCE_SECONDS = env.seconds("NEARLINE_DEBOUNCE_SECONDS", 0.5)
NEARLINE_LANES = env.integer("NEARLINE_LANES", 2, minimum=1)
RANKER = env.choice("RANKER", "auto", ("auto", "none"))
TRAIN_SECONDS = env.seconds("TRAIN_SECONDS", 1200.0)
TRAIN_THREADS = env.integer("TRAIN_THREADS", 2, minimum=1)
RELATED_PEOPLE = env.integer("RELATED_PEOPLE", 50, minimum=0, maximum=100)  # kept for each person; 0: none
TRAIN_MAX_ROWS = env.integer("TRAIN_MAX_ROWS", 50_000_000, minimum=1)
IMPRESSION_FLUSH_SECONDS = env.seconds("IMPRESSION_FLUSH_SECONDS", 0.1, minimum=0.1, maximum=60.0)
IMPRESSION_BUFFER = env.integer("IMPRESSION_BUFFER", 20_000, minimum=100)  # served pages, in each process
IMPRESSION_STREAM_BATCHES = env.integer("IMPRESSION_STREAM_BATCHES", 10_000, minimum=10)
INSIGHT_DAYS = env.integer("INSIGHT_DAYS", 92, minimum=7)
IMPORT_MAX_BYTES = env.integer("IMPORT_MAX_BYTES", 2 * 1024**3, minimum=1024)
IMPORT_MAX_UNPACKED_BYTES = env.integer("IMPORT_MAX_UNPACKED_BYTES", 20 * 1024**3, minimum=1024)
# A tenant's import files together, those that are kept after their import as well.
IMPORT_STORAGE_MAX_BYTES = env.integer("IMPORT_STORAGE_MAX_BYTES", 8 * 1024**3, minimum=1024)
IMPORT_LEASE_SECONDS = env.seconds("IMPORT_LEASE_SECONDS", 30.0, minimum=1.0)
LARGE_BODIES = {"/api/v1/imports": IMPORT_MAX_BYTES}  # paths that take more than DATA_UPLOAD_MAX_MEMORY_SIZE
# The largest body of a path, or of paths with such a beginning, in bytes (core.http.body_limits). What needs no token
# takes a form of some fields; 5 MiB are for batches.
BODY_LIMITS = {
    "/": 16 * 1024,
    "/admin/": DATA_UPLOAD_MAX_MEMORY_SIZE,
    "/admin/login/": 16 * 1024,
    "/api/v1/": 1024 * 1024,
    "/api/v1/auth/": 16 * 1024,
    **dict.fromkeys(
        ("/api/v1/items/batch", "/api/v1/users/batch", "/api/v1/events/batch"), DATA_UPLOAD_MAX_MEMORY_SIZE
    ),
    **LARGE_BODIES,
}
# How long things are kept, where a tenant has no times of its own; 0 is for ever, of files not at all.
EVENT_DAYS = env.integer("EVENT_DAYS", 0)
IMPORT_DAYS = env.integer("IMPORT_DAYS", 90)
IMPORT_FILE_DAYS = env.integer("IMPORT_FILE_DAYS", 0)
STORED_ANSWER_HOURS = env.integer("STORED_ANSWER_HOURS", 24, maximum=24)
# Uploaded files and artefacts are for the service's own user and group, not for all of the host.
FILE_UPLOAD_PERMISSIONS = 0o640
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o750
STORAGE_DIR = env.text("STORAGE_DIR", str(VAR_DIR / "storage"))
ARTEFACT_CACHE_DIR = env.text("ARTEFACT_CACHE_DIR", str(VAR_DIR / "artefacts"))
ARTEFACT_CACHE_KEEP = env.integer("ARTEFACT_CACHE_KEEP", 8, minimum=2)
STORAGES: dict[str, dict[str, object]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": STORAGE_DIR},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
if _bucket := env.text("STORAGE_S3_BUCKET"):
    from botocore.config import Config as _BotoConfig

    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": _bucket,
            "location": env.text("STORAGE_S3_PREFIX"),
            "endpoint_url": env.url("STORAGE_S3_ENDPOINT_URL") or None,
            "region_name": env.text("STORAGE_S3_REGION") or None,
            # Without keys the host's own identity is used, as boto3 finds it.
            "access_key": env.secret("STORAGE_S3_ACCESS_KEY") or None,
            "secret_key": env.secret("STORAGE_S3_SECRET_KEY") or None,
            "file_overwrite": False,
            "default_acl": None,
            # Its own are a minute for each of five tries; a storage that hangs must not hold requests for so long.
            "client_config": _BotoConfig(
                s3={"addressing_style": "path"} if env.flag("STORAGE_S3_PATH_STYLE", default=False) else None,
                connect_timeout=2,
                read_timeout=8,
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        },
    }
