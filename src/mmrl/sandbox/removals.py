"""The law of removal in the sandbox: which posts moderators take away.

    logit p = level + strictness(subreddit) + RULE where the post breaks its subreddit's rule

Each subreddit has one rule, of what a person can heed: no questions, no short titles, no long ones,
nothing at night. The level is such that the share that is asked for is removed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

RULE = 3.5
STRICTNESS = 0.8  # of the strictest subreddit; the mildest has as much less
_SHORT, _LONG = 65, 95  # characters
_NIGHT = 8  # the hour, UTC, at which it ends


class Post(Protocol):
    """What the law reads of a post; see `mmrl.sandbox.world.Post`."""

    @property
    def title(self) -> str: ...
    @property
    def subreddit(self) -> int: ...
    @property
    def created(self) -> float: ...


_RULES: tuple[Callable[[Post], bool], ...] = (
    lambda post: "?" in post.title,
    lambda post: len(post.title) < _SHORT,
    lambda post: len(post.title) > _LONG,
    lambda post: post.created % 86_400 < _NIGHT * 3_600,
)


def breaks_rule(post: Post) -> bool:
    """Whether a post breaks its subreddit's rule."""
    return _RULES[post.subreddit % len(_RULES)](post)


def chances(posts: Sequence[Post], subreddits: int, share: float, seed: int) -> np.ndarray:
    """The chance of each post to be removed, (n,), whose mean is a share."""
    rng = np.random.default_rng([20260602, seed])
    strict = rng.permutation(np.linspace(-STRICTNESS, STRICTNESS, subreddits))
    raw = np.array([strict[post.subreddit] + RULE * breaks_rule(post) for post in posts])
    low, high = -20.0, 20.0
    for _ in range(60):
        level = (low + high) / 2
        told = 1 / (1 + np.exp(-(raw + level)))
        low, high = (level, high) if told.mean() < share else (low, level)
    return np.asarray(told)


def removed(posts: Sequence[Post], subreddits: int, share: float, seed: int) -> np.ndarray:
    """Which of n posts are removed, (n,) bool."""
    rng = np.random.default_rng([20260603, seed])
    return np.asarray(rng.random(len(posts)) < chances(posts, subreddits, share, seed))
