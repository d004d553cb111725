"""The environment: what it may hold, what is said when it holds something else."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from kombu import Connection

from mediaweb import embedded
from mediaweb.environment import BASE_DIR, Environment, EnvironmentInvalid, read_environment
from processing import bridge

KEY = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our variables is set."""
    for field in Environment.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)


@pytest.fixture
def given(monkeypatch):
    """Read an environment that holds these variables."""

    def given(**variables: str) -> Environment:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return read_environment()

    return given


def test_embedded_default__needs_nothing(given):
    environment = given()
    assert environment.embedded
    assert (environment.port, environment.storage, environment.time_zone) == (8000, "local", "America/Mexico_City")
    assert environment.folder == BASE_DIR / "var"
    assert (environment.max_upload_bytes, environment.quota_bytes) == (20 * 2**30, None)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "eighty", "integer"),
        ("PORT", "0", "1"),
        ("PORT", "65536", "65535"),
        ("DATABASE_URL", "mysql://host/name", "postgres:"),
        ("REDIS_URL", "amqp://host", "redis:, rediss:, unix:"),
        ("REDIS_URL", "localhost:6379", "redis:, rediss:, unix:"),
        ("MEDIAWEB_STORAGE", "ftp", "'local' or 's3'"),
        ("AWS_S3_ENDPOINT_URL", "minio:9000", "https://media.example.org"),
        ("MEDIAWEB_BASE_URL", "media.example.org", "https://media.example.org"),
        ("MEDIAWEB_ACCEL", "inner", "/inner/"),
        ("MEDIAWEB_ACCEL", "/", "/inner/"),
        ("MEDIAWEB_DEBUG", "perhaps", "boolean"),
        ("MEDIAWEB_MAX_UPLOAD_BYTES", "lots", "byte"),
        ("MEDIAWEB_MAX_UPLOAD_BYTES", "0", "greater than 0"),
        ("MEDIAWEB_QUOTA_BYTES", "-1", "byte"),
        ("MEDIAWEB_API_RATE", "-1", "greater than or equal to 0"),
        ("MEDIAWEB_WEBHOOK_PRIVATE", "perhaps", "boolean"),
        ("MEDIAWEB_MAX_PIXELS", "0", "greater than 0"),
        ("MEDIAWEB_MAX_DURATION", "0", "greater than 0"),
        ("MEDIAWEB_MAX_DURATION", "inf", "finite"),
        ("MEDIAWEB_DRAIN_SECONDS", "-1", "greater than or equal to 0"),
        ("MEDIAWEB_DRAIN_SECONDS", "inf", "finite"),
        ("MEDIAWEB_ENCODER_THREADS", "65", "64"),
        ("EMAIL_URL", "mail.example.org", "smtp:"),
        ("TZ_NAME", "Mexico", "tz database"),
    ],
)
def test_bad_value__stops_the_start_with_name_value_and_what_is_allowed(given, name, value, allowed):
    with pytest.raises(EnvironmentInvalid) as stopped:
        given(**{name: value})
    (line,) = str(stopped.value).splitlines()[1:]
    assert line.strip().startswith(f"{name}={value!r}: ")
    assert allowed in line


def test_bad_values__are_all_named_at_once(given):
    with pytest.raises(EnvironmentInvalid) as stopped:
        given(PORT="x", TZ_NAME="x", MEDIAWEB_STORAGE="x")
    assert [line.strip().partition("=")[0] for line in str(stopped.value).splitlines()[1:]] == [
        "PORT",
        "MEDIAWEB_STORAGE",
        "TZ_NAME",
    ]


def test_bad_value__ends_the_process_with_an_error_status():
    assert issubclass(EnvironmentInvalid, SystemExit)
    assert EnvironmentInvalid("text").code == "text", "Python prints it on stderr and exits with 1"


@pytest.mark.parametrize("variable", [{"DATABASE_URL": "postgres://h/n"}, {"REDIS_URL": "redis://h:6379/0"}])
@pytest.mark.parametrize("key", ["", "short"])
def test_production__refuses_to_start_without_a_real_key(given, variable, key):
    with pytest.raises(EnvironmentInvalid, match="MEDIAWEB_SECRET_KEY is missing or short"):
        given(**variable, MEDIAWEB_SECRET_KEY=key)


def test_production__starts_with_a_key(given):
    environment = given(DATABASE_URL="postgres://h/n", REDIS_URL="redis://h/0", MEDIAWEB_SECRET_KEY=KEY)
    assert not environment.embedded


def test_s3__needs_a_bucket(given):
    with pytest.raises(EnvironmentInvalid, match="AWS_STORAGE_BUCKET_NAME"):
        given(MEDIAWEB_STORAGE="s3")
    assert given(MEDIAWEB_STORAGE="s3", AWS_STORAGE_BUCKET_NAME="media").s3_bucket == "media"


def test_secrets__are_not_in_what_is_printed_of_an_environment(given):
    environment = given(MEDIAWEB_SECRET_KEY=KEY, AWS_SECRET_ACCESS_KEY="also secret")
    assert KEY not in repr(environment)
    assert "also secret" not in repr(environment)


def test_empty_value__is_as_none(given):
    assert given(PORT="", MEDIAWEB_QUOTA_BYTES="", TZ_NAME="").port == 8000


def test_values__are_read_as_people_write_them(given):
    environment = given(
        MEDIAWEB_MAX_UPLOAD_BYTES="2GiB",
        MEDIAWEB_DEBUG="true",
        MEDIAWEB_BASE_URL="https://media.example.org/",
        MEDIAWEB_ALLOWED_HOSTS="a.example.org, b.example.org,",
    )
    assert environment.max_upload_bytes == 2 * 2**30
    assert environment.debug is True
    assert environment.base_url == "https://media.example.org"
    assert environment.hosts == ["a.example.org", "b.example.org"]


def test_data__absolute_stays_and_relative_is_of_the_project(given, tmp_path):
    assert given(MEDIAWEB_DATA=str(tmp_path)).folder == tmp_path
    assert given(MEDIAWEB_DATA="elsewhere").folder == BASE_DIR / "elsewhere"


def test_broker_socket__lies_in_the_data_folder():
    assert embedded.broker_socket(Path("/srv/data")) == Path("/srv/data/broker/redis.sock")


@pytest.mark.parametrize("data", ["/" + "d" * 80, "/" + "d/" * 200, "/" + "é" * 60])
def test_broker_socket__of_a_long_path_is_one_the_kernel_takes(data):
    socket = embedded.broker_socket(Path(data))
    assert len(os.fsencode(socket)) < 108
    assert socket != embedded.broker_socket(Path(data + "x")), "two folders share no broker"
    assert socket == embedded.broker_socket(Path(data))


def test_secret_key__is_made_once_and_private(tmp_path):
    key = embedded.secret_key(tmp_path / "new")
    assert len(key) >= 50
    assert embedded.secret_key(tmp_path / "new") == key
    assert (tmp_path / "new" / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret_key"]


@pytest.mark.parametrize(
    ("url", "celery"),
    [
        ("unix:///srv/redis.sock", "redis+socket:///srv/redis.sock"),
        ("unix:///srv/redis.sock?db=3", "redis+socket:///srv/redis.sock?virtual_host=3"),
        ("redis+socket:///srv/redis.sock", "redis+socket:///srv/redis.sock"),
        ("redis://user:secret@host:6379/0", "redis://user:secret@host:6379/0"),
        ("rediss://host:6380/0", "rediss://host:6380/0?ssl_cert_reqs=required"),
        ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/0?ssl_cert_reqs=none"),
        ("rediss://host/0?socket_timeout=1", "rediss://host/0?socket_timeout=1&ssl_cert_reqs=required"),
        ("sentinel://a:1,b:2/0?master=m", "sentinel://a:1/0;sentinel://b:2/0"),
        ("sentinel://:secret@a:1,b:2/0", "sentinel://:secret@a:1/0;sentinel://:secret@b:2/0"),
    ],
)
def test_celery_url__has_the_form_celery_wants(url, celery):
    assert embedded.celery_url(url) == celery


@pytest.mark.parametrize("form", ["unix://{}?db=3", "redis+socket://{}?virtual_host=3"])
def test_celery_url__celery_uses_the_same_database_as_we_do(settings, broker, form):
    settings.REDIS_URL = form.format(broker)
    with (
        redis.Redis.from_url(bridge.plain_url()) as ours,
        Connection(embedded.celery_url(settings.REDIS_URL)) as theirs,
    ):
        theirs.SimpleQueue("here").put("a message")
        assert ours.connection_pool.connection_kwargs["db"] == 3
        assert ours.llen("here") == 1


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://h/0", {}),
        ("sentinel://a:1/0", {"master_name": "mymaster"}),
        ("sentinel://a:1/0?master=media", {"master_name": "media"}),
    ],
)
def test_transport_options__name_the_master_that_sentinels_watch(url, options):
    assert embedded.transport_options(url) == options
    assert urlsplit(url).scheme
