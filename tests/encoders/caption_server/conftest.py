"""A captioning server on loopback that misbehaves as it is told."""

from collections.abc import Iterator

import pytest

from tests.support.caption_faults import Faults, faults


@pytest.fixture
def server() -> Iterator[Faults]:
    with faults() as running:
        yield running
