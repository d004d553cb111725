"""Spanish has every text that a page or a message is written with."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import allauth
import pytest
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.contrib import auth
from django.utils import translation
from django.utils.translation.template import templatize

from processing.errors import CLOSER, SENTENCES

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "mediaweb/locale/es/LC_MESSAGES/django.po"
KEYWORDS = {"gettext": None, "gettext_lazy": None, "gettext_noop": None, "ngettext": (1, 2), "_": None}


def test_spanish__has_each_text_and_none_that_is_gone():
    used = {text: place for path in sources() for text, place in texts(path)}
    with CATALOG.open("rb") as file:
        catalog = read_po(file, locale="es")
    missing = {text: place for text, place in used.items() if text not in catalog or catalog[text].fuzzy}
    assert not missing
    left = {first(message.id) for message in catalog if message.id} - {*used, *SENTENCES.values(), *CLOSER.values()}
    assert not left - borrowed()


@pytest.mark.parametrize("text", ["You have signed out.", "You have confirmed %(email)s.", "Forgot your password?"])
def test_spanish__of_a_library_says_tu_as_we_do(text):
    with translation.override("es"):
        assert not {"su", "ha", "usted"} & set(translation.gettext(text).lower().split())


def borrowed() -> set[str]:
    """The texts of libraries whose Spanish we say in our own words."""
    found = set[str]()
    for package in (allauth, auth):
        with (Path(package.__file__).parent / "locale/es/LC_MESSAGES/django.mo").open("rb") as file:
            found |= {first(message.id) for message in read_mo(file) if message.id}
    return found


def sources() -> Iterator[Path]:
    for room in ("mediaweb", "uploads", "processing"):
        for path in (ROOT / room).rglob("*.*"):
            if path.suffix in {".py", ".html", ".txt"} and "node_modules" not in path.parts:
                yield path


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """The texts in this file that gettext is asked for, each with where it stands."""
    code = path.read_text()
    code = code if path.suffix == ".py" else templatize(code, origin=str(path))
    for line, text, _, _ in extract("python", BytesIO(code.encode()), keywords=KEYWORDS):
        yield first(text), f"{path.relative_to(ROOT)}:{line}"


def first(text: str | tuple[str, ...]) -> str:
    """The text, or its singular."""
    return text if isinstance(text, str) else text[0]
