"""Two commands at once on one home, a few of all pairs; `benchmarks.at_once` tries them all."""

from pathlib import Path

import pytest

from benchmarks.at_once import COMMANDS, pairs, trials


def test_every_command_is_tried_beside_every_other_and_itself() -> None:
    assert len(pairs()) == len(COMMANDS) * (len(COMMANDS) + 1) // 2


@pytest.mark.slow
def test_a_pair_of_commands_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chosen = [("import", "run"), ("predict", "publish")]
    assert [loss for loss in trials(tmp_path, chosen) if loss] == []
