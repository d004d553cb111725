"""The README says what is so."""

import re
from pathlib import Path

from docs.configuration import README, written


def test_configuration_table__is_the_one_the_service_reads():
    assert written(README.read_text()) == README.read_text(), "run: python -m docs.configuration"


def test_links__lead_somewhere():
    targets = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    missing = [target for target in targets if not Path(README.parent, target).exists()]
    assert targets
    assert not missing
