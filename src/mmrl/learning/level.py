"""Level: how far the newest matured posts came out above or below what was predicted of them.

Levels move: a community grows, a site's votes change. A model that learned a while ago is off by
as much for every post, and the posts that have matured since say by how much. The correction is
the mean of their errors, drawn to zero where they are few; a subreddit's own comes on top of all
subreddits'. Only errors that were known when a post went up correct its prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmrl.samples.sums import Sums

_NEWEST = 200  # posts, of all subreddits, and of one
_DRAWN = 20.0  # zero counts as so many posts
_SHARES = (0.0, 1.0)


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


def levels(
    errors: Errors, subreddit: np.ndarray, moments: np.ndarray, *, own: bool
) -> np.ndarray:
    """What to add to q predictions, (q,), by the errors known at each one's moment.

    Args:
        subreddit: (q,) numbers.
        moments: (q,) int64 microseconds since 1970, when each post goes up.
        own: whether a subreddit's own errors count besides those of all.
    """
    all_posts = np.zeros(len(errors.error), np.int64)
    every = Sums(all_posts, errors.known, errors.error)
    overall = _drawn(every, np.zeros(len(moments), np.int64), moments)
    if not own:
        return overall
    beyond = errors.error - _drawn(every, all_posts, errors.known)
    return overall + _drawn(Sums(errors.subreddit, errors.known, beyond), subreddit, moments)


def _drawn(sums: Sums, groups: np.ndarray, moments: np.ndarray) -> np.ndarray:
    found = sums.moments(groups, moments, _NEWEST)
    return np.where(found.count > 0, found.count * found.mean, 0.0) / (found.count + _DRAWN)
