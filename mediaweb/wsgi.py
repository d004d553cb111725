"""For servers that speak WSGI. The event stream and local files need `asgi.py`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")
application = get_wsgi_application()
