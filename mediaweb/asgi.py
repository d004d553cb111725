"""The web application: uploads come in and local files go out beside Django, everything else by it."""

import os
from typing import cast

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")
django_application = get_asgi_application()

from starlette.types import ASGIApp  # noqa: E402 - Django must be set up first

from mediaweb.serving import Body, Media  # noqa: E402
from uploads.intake.files import Files  # noqa: E402
from uploads.sharing.files import Shared  # noqa: E402

application = Files(Shared(Media(Body(cast("ASGIApp", django_application)))))
