"""Two drafts beside each other: the chance that one does better than the other.

Each has a distribution (see `mmrl.serving.ranks.spread`). What the model gets wrong has two parts:
an error that all posts of a subreddit share at a time, such as a level that has moved, and one of
each post's own: its luck, and what is in it that the model does not see. The shared part moves both
drafts alike and says nothing of which is better. Its share of the whole, as a correlation, is
measured on the model's test posts: how much alike errors of two posts of one subreddit and day are.
Drafts of two subreddits are taken to share no error. Drafts with the same image or title are taken
to share no more than others: there are too few posts of the same image to measure it. What they do
share would make the better one surer, so the chance errs towards 50%.

In one subreddit the one that scores more does better; across subreddits the one that stands higher
among its subreddit's posts.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtri

from mmrl.errors import InputError
from mmrl.learning.targets import column
from mmrl.samples.history import Standings
from mmrl.serving.inputs.combine import microseconds_of
from mmrl.serving.ranks.ranking import Ranked
from mmrl.serving.ranks.spread import deviations_from

UNCLEAR = (0.4, 0.6)  # between these chances there is no clear difference
_POINTS = 99  # of each distribution
_LEAST_PAIRS = 100
_MOST_SHARED = 0.95
_DAY = 86_400_000_000  # in microseconds


@dataclass(frozen=True)
class Compared:
    """Two drafts compared.

    Attributes:
        first_better: the chance, 0 to 1, that the first one does better.
        by: what decides: score in one subreddit, percentile across subreddits, or score across
            subreddits where a percentile is not known.
    """

    first_better: float
    by: Literal["score", "percentile"]

    @property
    def clear(self) -> bool:
        """Whether one of them is clearly the better."""
        return not UNCLEAR[0] <= self.first_better <= UNCLEAR[1]

    @property
    def sentence(self) -> str:
        """For people; the drafts are called the first and the second."""
        if not self.clear:
            return f"No clear difference ({self.first_better:.0%} for the first)."
        first = self.first_better > 0.5
        chance = self.first_better if first else 1 - self.first_better
        return f"The {'first' if first else 'second'} does better with a chance of {chance:.0%}."


def compare(one: Ranked, other: Ranked, standings: Standings, shared: float) -> Compared:
    """Compares two drafts of one model's rankings.

    Args:
        standings: where scores stand in subreddits.
        shared: the correlation of errors within a subreddit, see `shared_error`.

    Raises:
        InputError: the model tells nothing of one of them.
    """
    for draft in (one, other):
        if np.isnan(draft.spread.middle):
            raise InputError(
                f"The model tells no score of a draft in r/{draft.subreddit}, so it can't be "
                "compared: choose a subreddit whose subscribers are known."
            )
    same = one.subreddit.lower() == other.subreddit.lower()
    ranked = one.percentile is not None and other.percentile is not None
    correlation = shared if same else 0.0
    points = ndtri((np.arange(_POINTS) + 0.5) / _POINTS)
    own = correlation * points[:, None] + np.sqrt(1 - correlation**2) * points[None]
    first, second = one.spread.at(points), other.spread.at(own)
    by_score = same or not ranked
    if not by_score and one.spread.unit == "log_score":
        first, second = _stands(one, first, standings), _stands(other, second, standings)
    better = (first[:, None] > second) + 0.5 * (first[:, None] == second)
    return Compared(
        float(better.mean()),
        "score" if by_score and one.spread.unit == "log_score" else "percentile",
    )


def shared_error(test: pa.Table, unit: str) -> float:
    """The correlation, 0 to 1, of the errors of two test posts of one subreddit and day.

    0 where there are too few pairs to tell.

    Args:
        test: a version's test predictions, see `mmrl.learning.evaluation.evaluate`.
        unit: of its quantiles.
    """
    truth = column(test, unit)
    quantiles = np.stack([column(test, name) for name in ("q10", "q50", "q90")], axis=1)
    known = ~(np.isnan(truth) | np.isnan(quantiles).any(axis=1))
    error = np.clip(deviations_from(quantiles[known], truth[known]), -4.0, 4.0)
    day = test["created_at"].cast(pa.int64()).to_numpy()[known] // _DAY
    names = pc.utf8_lower(test["subreddit"]).combine_chunks().dictionary_encode()
    subreddit = names.indices.to_numpy()[known]
    _, group = np.unique(np.stack([subreddit, day], axis=1), axis=0, return_inverse=True)
    group = group.ravel()
    count = np.bincount(group)
    pairs = float((count * (count - 1)).sum())
    if pairs < _LEAST_PAIRS:
        return 0.0
    total, squares = np.bincount(group, error), np.bincount(group, error**2)
    alike = float((total**2 - squares).sum()) / pairs / float((error**2).mean())
    return float(np.clip(alike, 0.0, _MOST_SHARED))


def _stands(draft: Ranked, log_scores: np.ndarray, standings: Standings) -> np.ndarray:
    """Where scores stand among the posts of the draft's subreddit, as of its hour."""
    values = np.maximum(log_scores, 0.0).reshape(1, -1)
    moment = np.array([microseconds_of(draft.posted_at)])
    names = pa.chunked_array([[draft.subreddit]])
    return standings.percentiles(names, moment, values).reshape(log_scores.shape)
