"""A killed run loses at most the batch in flight, and the next one completes it."""

from pathlib import Path

import pytest

from benchmarks.kill import UNTIL_MERGE, kill_and_compare

pytestmark = pytest.mark.slow


def test_after_kill_minus_nine_the_next_run_ends_with_the_same_rows(tmp_path: Path) -> None:
    outcomes = list(kill_and_compare(tmp_path, kills=3, posts=120, seed=5, stages=UNTIL_MERGE))
    assert any(hit for _, hit, _ in outcomes)
    assert [differing for _, _, differing in outcomes] == [[], [], []]


def test_in_an_object_store_the_next_run_ends_with_the_rows_of_a_run_on_a_disk(
    tmp_path: Path, bucket: str
) -> None:
    outcomes = kill_and_compare(tmp_path, kills=1, posts=40, seed=6, stages=UNTIL_MERGE, at=bucket)
    ((_, hit, differing),) = outcomes
    assert (hit, differing) == (True, [])
