"""Outcomes of predictions: the newest ones say how far the next predictions are off.

Levels move: a community grows, a site's votes change. A model that learned a while ago is off by
as much for every post, and the posts that have matured since say by how much. The correction is
the mean of their errors, drawn to zero where they are few. Only errors that were known when a post
went up correct its prediction.

The errors are those of the newest posts or of a week, whichever would have corrected the outcomes
of the last month better: of a site with hundreds of posts a day the newest ones tell mostly which
day of the week it was.

A subreddit's own errors, of a week at least, come on top of all subreddits', where the validation
posts say that it helps. Elsewhere they count as far as they differ from all subreddits' by more
than chance: a community may have changed since. Of newcomers, subreddits that a model has not
learned from, the validation posts can't say anything: their own always count, for the model may be
off by as much as communities differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import pyarrow as pa

from mmrl.learning.evaluation.calibration import widenings
from mmrl.learning.targets import column
from mmrl.samples.sums import Moments, Sums

_NEWEST = 200  # posts, of all subreddits, and of one
_WEEK, _MONTH = (timedelta(days=days) // timedelta(microseconds=1) for days in (7, 30))
_DRAWN = 20.0  # zero counts as so many posts
_CHANCE = 9.0  # squared errors of a mean, within which it may be chance: three of them
_NO_WORSE = 1.01
_ENOUGH = 200  # outcomes of a model itself, for its intervals to be as wide as these alone say

# No author's name at all; one without a matured post before; one with such posts.
AUTHOR_KINDS = ("anonymous", "new", "met")

# Whose errors count: those of all posts, or the subreddit's own, too, whether by chance or not.
LevelOf = Literal["all", "own"]

# Of the subreddits' numbers, kinds of authors and moments of q predictions, (q,) each: what to add
# to them, and to either side of their intervals, (q,) each.
Followed = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Outcomes:
    """n predictions of posts that the model did not learn from, and what became of them.

    Attributes:
        created: (n,) int64, when each post went up, in microseconds since 1970.
        known: (n,) int64, when its label was known.
        subreddit: (n,) numbers: of those learned from as inputs have them, then of newcomers.
        author: (n,) numbers, as of `author_kinds`.
        error: (n,) truth less prediction, in the target's units.
        below, above: (n,) how far the ends of the interval lay from the prediction.
    """

    created: np.ndarray
    known: np.ndarray
    subreddit: np.ndarray
    author: np.ndarray
    error: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        """(n, 2): the subreddit and the author of each."""
        return np.stack([self.subreddit, self.author], axis=1)

    def and_of(self, other: "Outcomes") -> "Outcomes":
        """Both."""
        pairs = [(getattr(self, name), getattr(other, name)) for name in vars(self)]
        return Outcomes(*(np.concatenate(pair) for pair in pairs))

    def outside(self, level: np.ndarray) -> np.ndarray:
        """By how much each truth lay outside its interval, (n,); negative when it was inside.

        Args:
            level: (n,) what was added to each prediction.
        """
        left = self.error - level
        return np.asarray(np.maximum(-self.below - left, left - self.above))


def author_kinds(samples: pa.Table) -> np.ndarray:
    """What was known of each sample's author when the post went up, (n,): the place of the kind in
    `AUTHOR_KINDS`."""
    met = column(samples, "author_seen_before")
    return np.where(np.isnan(met), 0, 1 + (met > 0))


def levels(
    outcomes: Outcomes, subreddit: np.ndarray, moments: np.ndarray, of: LevelOf, learned_from: int
) -> np.ndarray:
    """What to add to q predictions, (q,), by the errors known at each one's moment.

    Args:
        subreddit: (q,) numbers.
        learned_from: subreddits; newcomers have higher numbers.
        moments: (q,) int64 microseconds since 1970, when each post goes up.
    """
    known, of_all = outcomes.known, np.zeros_like(outcomes.known)
    when_known, overall = np.split(
        _overall(outcomes, np.concatenate([known, moments])), [len(known)]
    )
    beyond = outcomes.error - when_known
    own = _newest(Sums(outcomes.subreddit, known, beyond), subreddit, moments, _WEEK)
    every = _newest(Sums(of_all, known, beyond), np.zeros_like(moments), moments, _WEEK)
    apart = _beyond_chance(own, every) * (_drawn(own) - _drawn(every))
    sure = (of == "own") | (subreddit > learned_from)
    return overall + np.where(sure, _drawn(own), apart)


def _overall(outcomes: Outcomes, moments: np.ndarray) -> np.ndarray:
    """All subreddits' level at q moments, (q,): by the newest errors, or by those of a week."""
    of_all, asked = np.zeros_like(outcomes.known), np.zeros_like(moments)
    errors = Sums(of_all, outcomes.known, outcomes.error)
    level, cost = [], []
    for span in (0, _WEEK):
        left = outcomes.error - _drawn(_newest(errors, of_all, outcomes.created, span))
        squares = Sums(of_all, outcomes.known, left**2)
        cost.append(squares.moments(asked, moments, _NEWEST, moments - _MONTH).mean)
        level.append(_drawn(_newest(errors, asked, moments, span)))
    return np.where(cost[1] < cost[0], level[1], level[0])


def _beyond_chance(own: Moments, every: Moments) -> np.ndarray:
    """The share, 0 to 1, of what sets subreddits' errors apart from all that is not chance, (q,).

    The positive part of James and Stein (1961, "Estimation with quadratic loss"), with three
    standard errors of the mean in the place of one.
    """
    signal = own.count * np.nan_to_num(own.mean - every.mean) ** 2
    noise = _CHANCE * np.nan_to_num(every.spread) ** 2
    return np.where(signal > noise, 1 - noise / np.maximum(signal, 1e-12), 0.0)


def follow(
    before: Outcomes, learned: Outcomes, tested: Outcomes, of: LevelOf, learned_from: int
) -> Followed:
    """Levels and widenings of a model by the outcomes that are known at each moment.

    The model has learned the validation posts' level already, and is off by what it left of that:
    the errors of the fits before it would correct it once more. How widely it errs they do tell,
    until enough of its own outcomes are known.

    Args:
        before: of the validation posts, by fits that did not learn from them.
        learned: of the validation posts, by the model, which did.
        tested: of later posts, by the model.
        learned_from: see `levels`.
    """
    newest, both = learned.and_of(tested), before.and_of(tested)
    level_before = levels(before, before.subreddit, before.created, of, learned_from)
    level_since = levels(newest, tested.subreddit, tested.created, of, learned_from)
    outside_of_own = tested.outside(level_since)
    outside = np.concatenate([before.outside(level_before), outside_of_own])
    in_order = np.sort(tested.known)

    def followed(
        subreddit: np.ndarray, authors: np.ndarray, moments: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        asked, wide = np.stack([subreddit, authors], axis=1), np.empty(len(moments))
        enough = np.searchsorted(in_order, moments, "right") >= _ENOUGH
        own = outside_of_own, tested.known, tested.groups
        for told, rows in (((outside, both.known, both.groups), ~enough), (own, enough)):
            wide[rows] = widenings(*told, asked[rows], moments[rows])
        return levels(newest, subreddit, moments, of, learned_from), wide

    return followed


def choose_level(outcomes: Outcomes, learned_from: int) -> LevelOf:
    """Whether a subreddit's own errors correct these predictions better by more than 1% of the
    squared error, each by what was known before it.

    Args:
        learned_from: see `levels`.
    """
    if len(np.unique(outcomes.subreddit)) == 1:
        return "all"

    def squared(of: LevelOf) -> float:
        level = levels(outcomes, outcomes.subreddit, outcomes.created, of, learned_from)
        return float(np.mean((outcomes.error - level) ** 2))

    return "own" if _NO_WORSE * squared("own") < squared("all") else "all"


def _newest(sums: Sums, groups: np.ndarray, moments: np.ndarray, span: int) -> Moments:
    """Of the newest errors, or of those of a span where these are more."""
    return sums.moments(groups, moments, _NEWEST, moments - span)


def _drawn(errors: Moments) -> np.ndarray:
    """The mean of errors, drawn to 0."""
    total = np.where(errors.count > 0, errors.count * errors.mean, 0.0)
    return np.asarray(total / (errors.count + _DRAWN))
