import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import photo_bytes
from tests.e2e.browser import chromium
from tests.e2e.service import Service


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """The service has a database of its own; these tests look at it from outside alone."""


@pytest.fixture(scope="package", autouse=True)
def playwright_runs_a_loop() -> Iterator[None]:
    """Playwright's synchronous face keeps an event loop in this thread; Django would refuse the database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@contextmanager
def started_in(factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Start services, until the end of whose they are: one that nobody needs would still sweep and listen."""
    with ExitStack() as started:

        def make(*, from_nothing: bool = False, **environment: str) -> Service:
            service = Service(factory.mktemp("service") / "data", **environment)
            if not from_nothing:
                service.spare_migrating()
            started.callback(service.end)
            service.start()
            return service

        yield make


@pytest.fixture(scope="module")
def make_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Services of a file's own."""
    with started_in(tmp_path_factory) as make:
        yield make


# These two end with this folder's tests: what comes after has the machine to itself.
@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests that leave it well."""
    with started_in(tmp_path_factory) as make:
        yield make()


@pytest.fixture(scope="package")
def cutting_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that cuts films small, whose workers have one hand each."""
    with started_in(tmp_path_factory) as make:
        yield make(MEDIAWEB_PART_SECONDS="0.25", HANDS="1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a file: whoever comes to it brings a context of their own, with nothing in it."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def phone_photo() -> bytes:
    """12 megapixels as a phone writes them: lying on its side, with where and when it was taken."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    return photo_bytes((4032, 3024), quality=85, exif=exif)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Moving pictures with sound, of any length and size."""
    folder: Path = tmp_path_factory.mktemp("clips")

    def clip(seconds: int = 4, size: str = "640x360") -> bytes:
        path = folder / f"{seconds}-{size}.mp4"
        if not path.exists():
            sources = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d={seconds}"]
            sources += ["-f", "lavfi", "-i", f"sine=440:d={seconds}"]
            encoders = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
            subprocess.run(["ffmpeg", "-v", "error", *sources, *encoders, str(path)], check=True)
        return path.read_bytes()

    return clip


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twelve seconds with a keyframe in each, and sound: two rungs."""
    path: Path = tmp_path_factory.mktemp("film") / "film.mp4"
    sources = ["-f", "lavfi", "-i", "testsrc2=s=640x480:r=25:d=12", "-f", "lavfi", "-i", "sine=440:d=12"]
    encoders = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *sources, *encoders, str(path)], check=True)
    return path.read_bytes()
