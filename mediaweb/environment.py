"""The environment variables the service reads: their names, types, defaults and bounds, in one table.

Pure: no Django here. `settings.py` reads an `Environment`; `read_environment` says everything that
is wrong with one at once, so that a start fails with the whole list and not with the first item.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ByteSize, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent
REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+socket", "sentinel")
DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql")
EMAIL_SCHEMES = ("console", "smtp", "smtps", "smtp+tls", "smtp+ssl", "submission", "file", "memory", "dummy")


class EnvironmentInvalid(SystemExit):
    """A variable has a value we cannot work with; the text names each, its value and what is allowed."""


def one_of_schemes(*schemes: str) -> AfterValidator:
    """A URL must begin with one of `schemes`, or be empty for the embedded default."""

    def check(url: str) -> str:
        if url and url.partition(":")[0] not in schemes:
            raise ValueError(f"allowed: a URL that begins with {', '.join(f'{s}:' for s in schemes)}")
        return url

    return AfterValidator(check)


def http_address(url: str) -> str:
    """An absolute http or https address, without a slash at its end."""
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.netloc):
        raise ValueError("allowed: an address such as https://media.example.org")
    return url.rstrip("/")


def inner_location(path: str) -> str:
    """A path of the proxy's that begins and ends with a slash, or nothing."""
    if path and not (len(path) > 2 and path.startswith("/") and path.endswith("/")):
        raise ValueError("allowed: a path between slashes, such as /inner/")
    return path


def known_time_zone(name: str) -> str:
    """A time zone of the tz database. It alone is looked up: a list of them all means to open six hundred files."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("allowed: a name of the tz database, such as America/Mexico_City or UTC") from None
    return name


class Environment(BaseSettings):
    """Every variable, with the default that lets `make run` start with nothing configured."""

    model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", env_ignore_empty=True)

    data: Path = Field(Path("var"), alias="MEDIAWEB_DATA", description="folder of database, media, broker and scratch")
    host: str = Field("127.0.0.1", alias="MEDIAWEB_HOST", description="address `make run` listens on")
    port: int = Field(8000, alias="PORT", ge=1, le=65535, description="port of the web process")
    database_url: Annotated[str, one_of_schemes(*DATABASE_SCHEMES)] = Field(
        "", alias="DATABASE_URL", description="`postgres://user:password@host/name`; empty: SQLite"
    )
    redis_url: Annotated[str, one_of_schemes(*REDIS_SCHEMES)] = Field(
        "",
        alias="REDIS_URL",
        description="`redis://host:6379/0`, `rediss://`, `unix://`, "
        "`sentinel://h1:26379,h2:26379/0?master=NAME`; empty: embedded broker",
    )
    storage: Literal["local", "s3"] = Field("local", alias="MEDIAWEB_STORAGE", description="`local` or `s3`")
    s3_bucket: str = Field("", alias="AWS_STORAGE_BUCKET_NAME", description="bucket; needed for `s3`")
    s3_endpoint: Annotated[str, AfterValidator(http_address)] = Field(
        "", alias="AWS_S3_ENDPOINT_URL", description="S3 address where it is not Amazon's"
    )
    s3_access_key: str = Field("", alias="AWS_ACCESS_KEY_ID", description="empty: the machine's own role")
    s3_secret_key: str = Field("", alias="AWS_SECRET_ACCESS_KEY", repr=False, description="goes with it")
    s3_region: str = Field("us-east-1", alias="AWS_S3_REGION_NAME", description="region")
    s3_direct: bool | None = Field(
        None,
        alias="MEDIAWEB_S3_DIRECT",
        description="pages send files of more than a part, 8 MiB, straight to the bucket. Empty: where it lets them in "
        "(CORS: PUT from `MEDIAWEB_BASE_URL`, `ETag` exposed), which it is asked every ten minutes, and by `doctor`",
    )
    accel: Annotated[str, AfterValidator(inner_location)] = Field(
        "",
        alias="MEDIAWEB_ACCEL",
        description="`/inner/`: an `internal` location of nginx over the folder `media` of `MEDIAWEB_DATA`, which then "
        "sends local files itself (`X-Accel-Redirect`)",
    )
    secret_key: str = Field(
        "",
        alias="MEDIAWEB_SECRET_KEY",
        repr=False,
        description="signs sessions and links, 32 characters or more; the embedded default makes its own",
    )
    debug: bool = Field(False, alias="MEDIAWEB_DEBUG", description="error pages with tracebacks")
    allowed_hosts: str = Field(
        "", alias="MEDIAWEB_ALLOWED_HOSTS", description="host names served, with commas; localhost always is"
    )
    base_url: Annotated[str, AfterValidator(http_address)] = Field(
        "", alias="MEDIAWEB_BASE_URL", description="public address, for links in mails"
    )
    max_upload_bytes: ByteSize = Field(
        ByteSize(20 * 2**30), alias="MEDIAWEB_MAX_UPLOAD_BYTES", gt=0, description="of one file; `20GiB` works"
    )
    quota_bytes: ByteSize | None = Field(
        None, alias="MEDIAWEB_QUOTA_BYTES", gt=0, description="of one owner's originals; empty: no quota"
    )
    api_rate: int = Field(
        6000,
        alias="MEDIAWEB_API_RATE",
        ge=0,
        description="API requests a minute of one token or session, then 429; 0: no limit",
    )
    webhook_private: bool = Field(
        False,
        alias="MEDIAWEB_WEBHOOK_PRIVATE",
        description="webhooks may lead into private networks and to this machine: only where you trust all users",
    )
    max_pixels: int = Field(100_000_000, alias="MEDIAWEB_MAX_PIXELS", gt=0, description="of one picture")
    max_duration: float = Field(
        21_600, alias="MEDIAWEB_MAX_DURATION", gt=0, allow_inf_nan=False, description="of one video, in seconds"
    )
    encoder_threads: int = Field(
        1,
        alias="MEDIAWEB_ENCODER_THREADS",
        ge=0,
        le=64,
        description="of one encoder; 0: as many as cores. One each and more workers is what scales",
    )
    part_seconds: float = Field(
        30,
        alias="MEDIAWEB_PART_SECONDS",
        gt=0,
        allow_inf_nan=False,
        description="CPU time that a part of a video is cut to; a lost worker costs one part",
    )
    worker_memory: ByteSize | None = Field(
        None,
        alias="MEDIAWEB_WORKER_MEMORY",
        gt=0,
        description="what a worker's jobs may hold together; empty: its container's limit, else the machine's",
    )
    drain_seconds: float = Field(
        10,
        alias="MEDIAWEB_DRAIN_SECONDS",
        ge=0,
        allow_inf_nan=False,
        description="a worker told to stop lets its jobs go on so long, then hands them back",
    )
    heartbeat_file: str = Field(
        "", alias="MEDIAWEB_HEARTBEAT_FILE", description="a worker or beat touches it every 5 s, for probes"
    )
    email_url: Annotated[str, one_of_schemes(*EMAIL_SCHEMES)] = Field(
        "console:", alias="EMAIL_URL", description="`smtp+tls://user:password@host:587`"
    )
    email_from: str = Field("mediaweb@localhost", alias="EMAIL_FROM", description="sender of our mails")
    time_zone: Annotated[str, AfterValidator(known_time_zone)] = Field(
        "America/Mexico_City", alias="TZ_NAME", description="Django's and Celery's time zone"
    )

    @property
    def embedded(self) -> bool:
        """Nothing outside this machine is named: we may keep keys and data of our own."""
        return not self.database_url and not self.redis_url

    @property
    def hosts(self) -> list[str]:
        """The names in `MEDIAWEB_ALLOWED_HOSTS`, which may stand with spaces between them."""
        return [name.strip() for name in self.allowed_hosts.split(",") if name.strip()]

    @property
    def folder(self) -> Path:
        """`MEDIAWEB_DATA`, absolute: a relative one is taken from the project's folder."""
        return (BASE_DIR / self.data).resolve()


def read_environment() -> Environment:
    """The process's environment, or EnvironmentInvalid with everything that is wrong with it."""
    try:
        environment = Environment()
    except ValidationError as error:
        raise EnvironmentInvalid(explain(error)) from None
    wrong = missing(environment)
    if wrong:
        raise EnvironmentInvalid("mediaweb cannot start:\n" + "\n".join(f"  {line}" for line in wrong))
    return environment


def explain(error: ValidationError) -> str:
    """One line a variable: its name, the value found, what is allowed."""
    lines = [
        f"  {problem['loc'][0]}={problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    ]
    return "mediaweb cannot start:\n" + "\n".join(lines)


def missing(environment: Environment) -> list[str]:
    """What one variable's value makes another one need."""
    wrong = []
    if not environment.embedded and len(environment.secret_key) < 32:
        wrong.append(
            "MEDIAWEB_SECRET_KEY is missing or short: with DATABASE_URL or REDIS_URL set, give 32 random "
            "characters or more, the same to every process (openssl rand -hex 32)"
        )
    if environment.storage == "s3" and not environment.s3_bucket:
        wrong.append("AWS_STORAGE_BUCKET_NAME='': MEDIAWEB_STORAGE=s3 needs the name of a bucket")
    return wrong
