"""Boosted trees: how many steps they take."""

import pytest

from mmrl.learning.learners.trees import steps_of


@pytest.mark.parametrize(
    ("posts", "steps"),
    [(1, 1500), (5_000, 1500), (7_500, 1000), (15_000, 500), (1_000_000, 500)],
)
def test_few_posts_get_many_small_steps_and_many_posts_fewer(posts: int, steps: int) -> None:
    assert steps_of(posts, 1500) == steps
