"""No process loads at its start what it has no use for; and what no start checks holds all the same."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands, load_command_class

WEB = "import mediaweb.asgi, mediaweb.urls"
WORKER = "from mediaweb.celery import app; app.loader.import_default_modules()"
S3 = ("boto3", "botocore", "storages")
PAGES = ("mediaweb.urls", "uploads.api")
OURS = [name for name, app in get_commands().items() if app in {"mediaweb", "uploads", "processing"}]


def loaded(code: str) -> set[str]:
    """Every module of a process that did this."""
    told = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], cwd=settings.BASE_DIR, capture_output=True, check=True)
    return set(done.stdout.decode().split())


@pytest.mark.parametrize(("code", "spared"), [(WEB, S3), (WORKER, (*S3, *PAGES))], ids=["web", "worker"])
def test_start__with_local_files_loads_no_client_of_s3_and_a_worker_no_pages(code, spared):
    modules = loaded(code)
    assert "processing.engines.images" in modules
    assert modules & set(spared) == set()


def test_web__looks_no_more_at_what_lives_as_long_as_itself_when_it_collects_garbage():
    counts = "print(gc.get_freeze_count(), len(gc.get_objects()), 'uploads.api' in sys.modules)"
    told = f"import gc, sys, mediaweb.asgi; {counts}"
    done = subprocess.run([sys.executable, "-c", told], cwd=settings.BASE_DIR, capture_output=True, check=True)
    spared, looked_at, has_pages = done.stdout.decode().split()
    assert int(spared) > 50_000
    assert int(looked_at) < 1000
    assert has_pages == "True", "else the first request would load them, to be looked at for ever"


@pytest.mark.parametrize("name", sorted(set(OURS) - {"doctor"}))
def test_commands__begin_without_checks_of_the_whole_project(name):
    assert not load_command_class(get_commands()[name], name).requires_system_checks


def test_checks__find_nothing():
    call_command("check", fail_level="WARNING")
