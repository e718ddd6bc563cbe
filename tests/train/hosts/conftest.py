"""Two machines for the tests of this room, built for each anew and always removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.train.hosts.machines import Machines, lacking, machines
from tests.warm import Warm


@pytest.fixture(scope="session")
def _possible() -> None:
    if why := lacking():
        pytest.skip(why)


@pytest.fixture
def hosts(_possible: None, programs: Warm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Two machines without a cable yet."""
    with machines(tmp_path_factory.mktemp("hosts"), programs) as made:
        yield made
