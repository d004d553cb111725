"""The web application: uploads come in and local files go out beside Django, everything else by it."""

import gc
import os
from importlib import import_module
from typing import cast

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402 - Django must be set up first
from starlette.types import ASGIApp  # noqa: E402 - Django must be set up first

from mediaweb.desks import Desks, keep_connections  # noqa: E402
from mediaweb.serving import Body, Media  # noqa: E402
from uploads.intake.files import Files  # noqa: E402
from uploads.sharing.files import Shared  # noqa: E402

keep_connections()
application = Files(Shared(Media(Body(cast("ASGIApp", Desks())))))

# What is loaded by now lives as long as the process, and what the first request would load is loaded now. A whole
# collection looked at all of it again and again, for 0.15 s in which nobody was answered.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
