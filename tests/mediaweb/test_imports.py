"""Imports go one way through the house; the pure rooms know no framework."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("mediaweb", "uploads", "processing")
FRAMEWORKS = {"django", "celery", "kombu", "redis", "ninja", "starlette"}


def name_of(path: Path) -> str:
    """`processing/engines/images.py` as `processing.engines.images`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    name_of(path): path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts
}


@cache
def imports(module: str) -> frozenset[str]:
    """Every module named by an import statement anywhere in this one, and every parent of it."""
    tree = ast.parse(MODULES[module].read_text())
    return frozenset(parent for name in named(tree, module) for parent in parents(name))


def named(tree: ast.AST, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def reached(module: str) -> set[str]:
    """Everything this module imports, directly or through modules of our own."""
    seen: set[str] = set()
    ahead = [module]
    while ahead:
        new = imports(ahead.pop()) - seen
        seen |= new
        ahead += [name for name in new if name in MODULES]
    return seen


def inside(room: str) -> list[str]:
    return sorted(name for name in MODULES if name == room or name.startswith(f"{room}."))


PURE = [
    *inside("processing.engines"),
    *(f"processing.{name}" for name in ("presets", "pipelines", "errors", "facts")),
]


def test_modules__are_found():
    assert len(MODULES) > 50
    assert len(PURE) > 10
    assert "uploads.keeping" in imports("uploads.api")


@pytest.mark.parametrize("module", PURE)
def test_pure__knows_no_framework_directly_or_through_others(module):
    assert {name.partition(".")[0] for name in reached(module)} & (FRAMEWORKS | {"mediaweb", "uploads"}) == set()


@pytest.mark.parametrize("module", inside("processing.engines"))
def test_engines__know_nothing_of_the_rows_and_rooms_around_them(module):
    ours = {name for name in reached(module) if name in MODULES and not name.startswith("processing.engines")}
    assert ours <= {"processing", "processing.errors", "processing.facts", "processing.presets"}


def test_pure__is_loaded_without_django_indeed():
    import subprocess

    code = f"import sys, {', '.join(PURE)}; print(sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stdout)) & FRAMEWORKS == set()


@pytest.mark.parametrize("module", inside("processing"))
def test_processing__never_imports_uploads_or_the_project(module):
    assert {name for name in imports(module) if name.partition(".")[0] in {"uploads", "mediaweb"}} == set()


@pytest.mark.parametrize("module", inside("uploads"))
def test_uploads__never_imports_the_project(module):
    assert {name for name in imports(module) if name.partition(".")[0] == "mediaweb"} == set()


def test_project__only_its_addresses_and_commands_know_uploads():
    knowing = {module for module in inside("mediaweb") if "uploads" in imports(module)}
    assert knowing <= {"mediaweb.urls", "mediaweb.asgi"}
