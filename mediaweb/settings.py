"""Django's settings: one file, driven by the environment (see `environment.py` for the variables)."""

from pathlib import Path
from typing import Any

import dj_database_url
import dj_email_url
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _
from kombu import Exchange, Queue

from mediaweb import embedded
from mediaweb.environment import BASE_DIR, read_environment
from processing.facts import Limits

ENV = read_environment()
DATA = ENV.folder
SCRATCH = DATA / "scratch"
SCRATCH.mkdir(parents=True, exist_ok=True)

DEBUG = ENV.debug
SECRET_KEY = ENV.secret_key or embedded.secret_key(DATA)
BASE_URL = ENV.base_url
OWN_URL = BASE_URL or f"http://127.0.0.1:{ENV.port}"  # for links that are read elsewhere
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *ENV.hosts]
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL else []
SECURE = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0

INSTALLED_APPS = [
    "mediaweb",
    "uploads",
    "processing",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "axes",
    "csp",
    "django_htmx",
    "ninja",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "mediaweb.urls"
ASGI_APPLICATION = "mediaweb.asgi.application"
WSGI_APPLICATION = "mediaweb.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Rows are the truth: the embedded database takes its write lock at the start of a transaction
# (IMMEDIATE) and lets readers go on (WAL). Four writers for 20 s: 804 "database is locked" with
# SQLite's defaults, none so. synchronous stays FULL: an accepted upload outlives a power cut.
SQLITE = {
    "ENGINE": "mediaweb.sqlite",
    "NAME": DATA / "mediaweb.sqlite3",
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    },
}
# A machine that vanishes says no farewell, and one that stops says nothing: PostgreSQL would keep their locks, of a run
# and of the sweep, for the two hours of TCP's own patience. Each side asks after a minute at most, and a transaction
# in which nobody has said a word for one is over. An address that says `options` itself is left alone: not every
# pooler takes these.
POSTGRES = {
    "options": "-c idle_in_transaction_session_timeout=60s"
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def given_postgres(url: str) -> dict[str, Any]:
    given: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=0))
    return given | {"OPTIONS": POSTGRES | given.get("OPTIONS", {})}


# A connection ends with its job or its request; a web process keeps some for the next (`desks.keep_connections`).
DATABASES = {
    "default": SQLITE if ENV.database_url.partition(":")[0] in {"", "sqlite"} else given_postgres(ENV.database_url)
}
if ENV.database_url.startswith("sqlite:"):
    SQLITE["NAME"] = dj_database_url.parse(ENV.database_url)["NAME"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Threads of a test must see the same tables: a file, not SQLite's private memory.
DATABASES["default"]["TEST"] = {"NAME": "test_mediaweb" if ENV.database_url else DATA / "test.sqlite3"}

LOCAL_MEDIA = DATA / "media"


def local_storage() -> dict[str, Any]:
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": LOCAL_MEDIA, "base_url": "/media/"},
    }


def s3_storage() -> dict[str, Any]:
    from botocore.config import Config  # a tenth of a second in every process, which files in a folder do not owe

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": ENV.s3_bucket,
            "endpoint_url": ENV.s3_endpoint or None,
            "access_key": ENV.s3_access_key or None,
            "secret_key": ENV.s3_secret_key or None,
            "region_name": ENV.s3_region,
            "client_config": Config(
                signature_version="s3v4",
                # Left to itself, boto3 presigns for Amazon's global host, where newer regions do not answer.
                s3={"addressing_style": "path" if ENV.s3_endpoint else "virtual"},
                # Its own bounds let a silent store hold a request for five minutes.
                connect_timeout=5,
                read_timeout=20,
                retries={"mode": "standard", "total_max_attempts": 3},
            ),
            "file_overwrite": True,
            "querystring_expire": 3600,
        },
    }


STORAGES = {
    "default": {"local": local_storage, "s3": s3_storage}[ENV.storage](),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
S3_DIRECT = ENV.s3_direct if ENV.storage == "s3" else False  # None: as the bucket says
ACCEL = ENV.accel
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_MANIFEST_STRICT = False
FILE_UPLOAD_TEMP_DIR = SCRATCH
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 << 19  # bytes of a body in memory; of a hundred that wait for a desk, 50 MiB

DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000  # every tick in a gallery is one
MAX_UPLOAD_BYTES = int(ENV.max_upload_bytes)
QUOTA_BYTES = int(ENV.quota_bytes) if ENV.quota_bytes else None
LIMITS = Limits(pixels=ENV.max_pixels, duration=ENV.max_duration, part=ENV.part_seconds, threads=ENV.encoder_threads)
WORKER_MEMORY = int(ENV.worker_memory) if ENV.worker_memory else None
WEBHOOK_PRIVATE = ENV.webhook_private
API_RATE = ENV.api_rate
DRAIN_SECONDS = ENV.drain_seconds
HEARTBEAT_FILE = Path(ENV.heartbeat_file) if ENV.heartbeat_file else None

REDIS_URL = ENV.redis_url or f"unix://{embedded.broker_socket(DATA)}"
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = embedded.celery_url(REDIS_URL)
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TIMEZONE = ENV.time_zone
# A message is taken when there is a hand free for it and acknowledged when it is done, so that the
# length of a list says what waits. What a dead worker held comes back by its lease, in seconds,
# not by redelivery: with a short visibility timeout a 20 s task was started four times.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {
    "visibility_timeout": 12 * 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "health_check_interval": 10,
    # Telling a worker is tried twice and left to the sweep: kombu's own patience held an upload for 6 s
    # while Redis was down. Workers themselves connect again for ever, by the settings above.
    "max_retries": 1,
    "interval_start": 0,
    **embedded.transport_options(REDIS_URL),
}
CELERY_REDIS_SOCKET_TIMEOUT = 5
CELERY_RESULT_EXPIRES = 3600
CELERY_TASK_DEFAULT_QUEUE = "default"
# A worker started without -Q takes from all of them.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("images", "videos", "default")]
CELERY_TASK_ROUTES = {
    "processing.tasks.run_image_job": {"queue": "images"},
    "processing.tasks.run_video_job": {"queue": "videos"},
}
SWEEP_SECONDS = 10
# What a run's end owes its owner, each in the transaction of that end: called with the run and its status.
OWED_AT_OUTCOME = ["processing.notices.owe", "uploads.webhooks.outbox.owe"]
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "processing.tasks.sweep",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": SWEEP_SECONDS},  # one that nobody took in time is worth nothing
    },
    "sweep_uploads": {
        "task": "uploads.tasks.sweep_uploads",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": SWEEP_SECONDS},
    },
    "abort_forsaken": {
        "task": "uploads.tasks.abort_forsaken",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "sweep_webhooks": {
        "task": "uploads.tasks.sweep_webhooks",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": SWEEP_SECONDS},
    },
    "forget_old": {
        "task": "uploads.tasks.forget_old",
        "schedule": 600,
        "options": {"expires": 600},
    },
    "send_notices": {
        "task": "processing.tasks.send_notices",
        "schedule": 20,
        "options": {"expires": 20},
    },
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA / "beat-schedule")

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "mediaweb.accounts.Adapter"
ACCOUNT_EMAIL_VERIFICATION = "optional"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False

EMAIL = dj_email_url.parse(ENV.email_url)
globals().update({name: value for name, value in EMAIL.items() if value is not None})
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENV.email_from

# Where presigned addresses lead: the pages may show what lies there. us-east-1 has the host without a region.
AMAZON = "s3.amazonaws.com" if ENV.s3_region == "us-east-1" else f"s3.{ENV.s3_region}.amazonaws.com"
S3_ADDRESS = f"{ENV.s3_endpoint}/{ENV.s3_bucket}/" if ENV.s3_endpoint else f"https://{ENV.s3_bucket}.{AMAZON}/"
SHOWN_FROM = [S3_ADDRESS] if ENV.storage == "s3" else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *SHOWN_FROM],
        "media-src": [SELF, "blob:", *SHOWN_FROM],
        "connect-src": [SELF, *SHOWN_FROM],
        "style-src": [SELF, "'unsafe-inline'"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "mediaweb" / "locale"]
TIME_ZONE = ENV.time_zone
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"axes": {"level": "WARNING"}, "celery.utils.functional": {"level": "WARNING"}},
}
