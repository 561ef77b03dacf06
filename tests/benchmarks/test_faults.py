"""A short run of the probe with hostile and broken input: nothing is lost."""

from pathlib import Path

import pytest

from benchmarks.faults import broken_files
from benchmarks.faults.__main__ import KINDS, probed

SHORT = {"mutated dump lines": 300, "addresses": 300, "pictures": 150, "markup payloads": 100}


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_loses_nothing(kind: str) -> None:
    trials, _ = KINDS[kind]
    tried, lost = probed(trials, seed=1, tries=SHORT.get(kind, 12))
    assert tried == SHORT.get(kind, 12)
    assert lost == []


@pytest.mark.slow
def test_a_broken_file_of_a_model_ends_no_command_in_a_traceback(tmp_path: Path) -> None:
    assert [loss for loss in broken_files.commands(tmp_path, most=14) if loss] == []
