"""Level: how far the newest matured posts came out above or below what was predicted of them.

Levels move: a community grows, a site's votes change. A model that learned a while ago is off by
as much for every post, and the posts that have matured since say by how much. The correction is
the mean of their errors, drawn to zero where they are few; a subreddit's own comes on top of all
subreddits'. Only errors that were known when a post went up correct its prediction.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmrl.samples.sums import Sums

_NEWEST = 200  # posts, of all subreddits, and of one
_DRAWN = 20.0  # zero counts as so many posts
_NO_WORSE = 1.01

LevelOf = Literal[
    "none", "all", "own"
]  # whose errors count: nobody's, all posts', and a subreddit's


@dataclass(frozen=True)
class Errors:
    """n predictions that have come out, of posts that the model did not learn from.

    Attributes:
        known: (n,) int64, when each post's label was known, in microseconds since 1970.
        subreddit: (n,) numbers.
        error: (n,) truth less prediction, in the target's units.
    """

    known: np.ndarray
    subreddit: np.ndarray
    error: np.ndarray

    def and_of(self, other: "Errors") -> "Errors":
        """Both."""
        return Errors(
            np.concatenate([self.known, other.known]),
            np.concatenate([self.subreddit, other.subreddit]),
            np.concatenate([self.error, other.error]),
        )


def levels(errors: Errors, subreddit: np.ndarray, moments: np.ndarray, of: LevelOf) -> np.ndarray:
    """What to add to q predictions, (q,), by the errors known at each one's moment.

    Args:
        subreddit: (q,) numbers.
        moments: (q,) int64 microseconds since 1970, when each post goes up.
    """
    if of == "none":
        return np.zeros(len(moments))
    all_posts = np.zeros(len(errors.error), np.int64)
    every = Sums(all_posts, errors.known, errors.error)
    overall = _drawn(every, np.zeros(len(moments), np.int64), moments)
    if of == "all":
        return overall
    beyond = errors.error - _drawn(every, all_posts, errors.known)
    return overall + _drawn(Sums(errors.subreddit, errors.known, beyond), subreddit, moments)


def choose_level(errors: Errors, created: np.ndarray) -> LevelOf:
    """Whose errors correct the predictions of these posts best, each by what was known before it;
    the simplest choice of those whose squared error is within 1% of the least.

    Args:
        created: (n,) int64 microseconds since 1970, when each of the posts went up.
    """
    choices: tuple[LevelOf, ...] = ("none", "all", "own")
    squares = {
        of: float(np.mean((errors.error - levels(errors, errors.subreddit, created, of)) ** 2))
        for of in choices
    }
    enough = _NO_WORSE * min(squares.values())
    return next(of for of in choices if squares[of] <= enough)


def _drawn(sums: Sums, groups: np.ndarray, moments: np.ndarray) -> np.ndarray:
    found = sums.moments(groups, moments, _NEWEST)
    return np.where(found.count > 0, found.count * found.mean, 0.0) / (found.count + _DRAWN)
