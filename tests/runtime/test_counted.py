"""Counts of things in words."""

import pytest

from mmrl.runtime.counted import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 posts"), (1, "1 post"), (2, "2 posts"), (1204, "1,204 posts")]
)
def test_one_thing_is_told_in_the_singular(number: int, words: str) -> None:
    assert counted(number, "post") == words


def test_the_plural_may_be_given() -> None:
    assert (
        counted(1, "new value of features", "new values of features") == "1 new value of features"
    )
    assert counted(2, "reply", "replies") == "2 replies"
