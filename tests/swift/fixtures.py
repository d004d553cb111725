"""The store of the tests that need one: started by the first of them, ended after the last."""

from collections.abc import Iterator

import pytest

from tests.swift.server import running
from tests.swift.store import Store


@pytest.fixture(scope="session")
def swift() -> Iterator[Store]:
    """A real S3 store, without a bucket."""
    with running() as store:
        yield store


@pytest.fixture
def s3(swift: Store) -> Store:
    """A bucket of the test's own in a real S3 store."""
    return swift.with_new_bucket()
