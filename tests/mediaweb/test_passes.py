"""Files that `make test` treats in a way of their own are there."""

import pytest

from tests.passes import ALONE, LONGEST, TESTS


@pytest.mark.parametrize("name", [*LONGEST, *ALONE])
def test_name__is_a_files(name):
    assert (TESTS / name).is_file()
