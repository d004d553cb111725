"""The web application of this process on a real port, with the database and the storage of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from mediaweb.serving import Body, Media
from tests.ports import free_port
from tests.waiting import until
from uploads.sharing.files import Shared


class Static:
    """Our static files, from where the front end is built to."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.files = StaticFiles(directory=settings.BASE_DIR / "mediaweb" / "static")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/static/"):
            await self.files({**scope, "root_path": "/static"}, receive, send)
        else:
            await self.app(scope, receive, send)


@contextmanager
def served() -> Iterator[str]:
    """The address of a running server."""
    port = free_port()
    application = Static(Shared(Media(Body(get_asgi_application()))))
    server = uvicorn.Server(
        uvicorn.Config(application, port=port, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
