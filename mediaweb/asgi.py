"""The web application: uploads come in and local files go out beside Django, everything else by it."""

import os
from typing import cast

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")
django.setup(set_prefix=False)

from starlette.types import ASGIApp  # noqa: E402 - Django must be set up first

from mediaweb.desks import Desks, keep_connections  # noqa: E402
from mediaweb.serving import Body, Media  # noqa: E402
from uploads.intake.files import Files  # noqa: E402
from uploads.sharing.files import Shared  # noqa: E402

keep_connections()
application = Files(Shared(Media(Body(cast("ASGIApp", Desks())))))
