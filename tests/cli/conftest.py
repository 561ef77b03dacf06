"""Fixtures that tests of the command line share."""

import pytest

from tests.support.command import Run, call


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process."""
    return lambda *arguments: call(capsys, *arguments)
