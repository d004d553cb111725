"""Loaded by pytest before Django's settings: tests keep their data in a folder of their own."""

import os
import tempfile

os.environ["MEDIAWEB_DATA"] = tempfile.mkdtemp(prefix="mediaweb-tests-")
os.environ["MEDIAWEB_DRAIN_SECONDS"] = "1"
