"""Uploads by what others wrote, over a line that is cut again and again, while the web process is killed."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.survival import CLIENT, CUTS, Stage, film, store_and_two_webs, survive

pytestmark = pytest.mark.e2e
SIZE = 24  # MiB; 200 by hand


@pytest.fixture(scope="module", params=["folder, one web", "s3, two webs"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if request.param.startswith("s3"):
        folder = tmp_path_factory.mktemp("survival")
        with store_and_two_webs(folder, request.getfixturevalue("swift")) as stage:
            yield stage
    else:
        yield Stage(request.getfixturevalue("service"))  # whose web process comes back, each time


@pytest.mark.parametrize("client", CLIENT)
def test_line_cut_five_times_and_the_web_killed__no_acknowledged_byte_goes_twice(
    stage: Stage, client: str, tmp_path: Path
) -> None:
    seed = secrets.token_hex(4)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    path = film(tmp_path / f"{client}.mp4", SIZE)
    found = survive(stage, stage.sender(), path, CLIENT[client], seed)
    assert found.is_right
    assert (found.hung_up, len(found.killed)) == (CUTS, 1)
    assert (found.sent_twice, found.untold) == (0, 0)
