"""Each promise names the tests that show it, and they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_promises__name_tests_that_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "promises.md").read_text())
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()]
    assert len(named) > 20
    assert not missing
