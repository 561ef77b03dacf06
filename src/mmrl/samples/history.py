"""History of authors and subreddits, as known when a post went up, and a post's rank in its time.

Only posts that had matured by then count, from when their label was known; see
`mmrl.samples.known_at`.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.samples.features import microseconds, time_features
from mmrl.samples.known_at import label_known_at
from mmrl.samples.ranks import Events, count_below

_RECENT = 200  # posts of a subreddit whose mean and spread follow its level
_TYPICAL = 4.0  # log score; squares are taken from here, so that their sums stay small
MIN_RANKED = 10  # fewer posts before it give no percentile

# Sums run over log scores as whole multiples of 2^-30, so that they are exact: an average is the
# same to its last bit whatever else is in the catalog.
_UNIT = 2.0**30


@dataclass(frozen=True)
class _Sums:
    """Events with running sums of what they carry; answers with counts and means."""

    events: Events
    count: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, groups: np.ndarray, times: np.ndarray, values: np.ndarray) -> "_Sums":
        """Values that are NaN count as absent."""
        events = Events(groups, times)
        sorted_values = values[events.order]
        present = ~np.isnan(sorted_values)
        units = np.round(np.where(present, sorted_values, 0.0) * _UNIT).astype(np.int64)
        return cls(events, _running(present.astype(np.int64)), _running(units))

    def newest(self, groups: np.ndarray, times: np.ndarray, most: int) -> np.ndarray:
        """The mean over a group's newest events by a time, at most so many; NaN for none."""
        return self._between(groups, times, most)[1]

    def ask(self, groups: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many events a group had by a time, and their mean; NaN where there were none."""
        return self._between(groups, times, None)

    def _between(
        self, groups: np.ndarray, times: np.ndarray, most: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        start, stop = self.events.start(groups), self.events.until(groups, times)
        if most is not None:
            start = np.maximum(start, stop - most)
        count = self.count[stop] - self.count[start]
        total = (self.total[stop] - self.total[start]) / _UNIT
        mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
        return count, mean


@dataclass(frozen=True)
class _Matured:
    """Matured posts' subreddits, times and scores, (n,) each."""

    subreddit: np.ndarray
    created: np.ndarray
    known: np.ndarray
    log_score: np.ndarray

    def where(self, kept: np.ndarray) -> "_Matured":
        return _Matured(
            self.subreddit[kept], self.created[kept], self.known[kept], self.log_score[kept]
        )


class History:
    """The matured posts of a catalog at one time, ready to be asked about any moment before it."""

    def __init__(self, matured: pa.Table, mature_after: timedelta) -> None:
        """Sorts n matured posts.

        Args:
            matured: subreddit, author_id, created_at, first_look_at, label_observed_at and score
                of posts whose label was known at the time the history is of.
        """
        self._subreddits = _distinct(pc.utf8_lower(matured["subreddit"]))
        self._authors = _distinct(matured["author_id"])
        subreddit = self._subreddit_codes(matured["subreddit"])
        author = self._author_codes(matured["author_id"])
        created = microseconds(matured["created_at"])
        known = label_known_at(matured, mature_after)
        log_score = log_scores(matured["score"])

        self._subreddit = _Sums.of(subreddit, known, log_score)
        lift = log_score - self._subreddit.ask(subreddit, created)[1]
        named = author >= 0
        self._author = _Sums.of(author[named], known[named], log_score[named])
        self._lift = _Sums.of(author[named], known[named], lift[named])
        squares = (log_score - _TYPICAL) ** 2
        self._squares = _Sums.of(subreddit, known, squares)
        pairs = self._pair(author[named], subreddit[named])
        self._pairs = np.unique(pairs)
        self._author_here = _Sums.of(
            np.searchsorted(self._pairs, pairs), known[named], log_score[named]
        )
        self._matured = _Matured(subreddit, created, known, log_score)

    def features(
        self, subreddits: pa.ChunkedArray, authors: pa.ChunkedArray, created: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The history and time features of q posts, whether matured, young or not posted yet.

        Args:
            subreddits, authors: their names and ids; an author may be null.
            created: (q,) int64 microseconds since 1970.

        Returns:
            (q,) float64 each, NaN where not known.
        """
        subreddit, author = self._subreddit_codes(subreddits), self._author_codes(authors)
        posts, mean = _ask_known(self._subreddit, subreddit, created)
        author_posts, author_mean = _ask_known(self._author, author, created)
        lift = _ask_known(self._lift, author, created)[1]
        here = self._author_here_codes(author, subreddit)
        posts_here, mean_here = _ask_known(self._author_here, here, created)
        recent = _newest_known(self._subreddit, subreddit, created, _RECENT)
        squares = _newest_known(self._squares, subreddit, created, _RECENT)
        anonymous = pc.is_null(authors).to_numpy()
        author_posts = np.where(anonymous, np.nan, author_posts)
        return {
            "log_author_posts": np.log1p(author_posts),
            "author_seen_before": np.where(anonymous, np.nan, author_posts > 0),
            "author_mean_log_score": author_mean,
            "author_mean_lift": lift,
            "log_subreddit_posts": np.log1p(posts),
            **time_features(created),
            "subreddit_mean_log_score": mean,
            "author_last_log_score": _newest_known(self._author, author, created, 1),
            "log_author_posts_here": np.where(anonymous, np.nan, np.log1p(posts_here)),
            "author_mean_log_score_here": mean_here,
            "subreddit_last_50_mean": _newest_known(self._subreddit, subreddit, created, 50),
            "subreddit_last_200_mean": recent,
            "subreddit_last_200_spread": np.sqrt(
                np.maximum(squares - (recent - _TYPICAL) ** 2, 0.0)
            ),
        }

    def _pair(self, author: np.ndarray, subreddit: np.ndarray) -> np.ndarray:
        """A number for each pair of an author and a subreddit."""
        return np.asarray(author.astype(np.int64) * max(1, len(self._subreddits)) + subreddit)

    def _author_here_codes(self, author: np.ndarray, subreddit: np.ndarray) -> np.ndarray:
        """The place of each pair among those that have matured posts; -1 for none."""
        pairs = self._pair(author, subreddit)
        place = np.searchsorted(self._pairs, pairs)
        there = np.append(self._pairs, -1)[place] == pairs
        return np.where(there & (author >= 0) & (subreddit >= 0), place, -1)

    def percentiles(
        self,
        subreddits: pa.ChunkedArray,
        created: np.ndarray,
        log_score: np.ndarray,
        window: timedelta,
    ) -> np.ndarray:
        """The rank, 0 to 1, of q posts' scores among their subreddit's posts of the time before.

        Those count that were created within `window` before a post and had matured when it went
        up. The rank is the share of them below it, plus half the share of its equals.

        Args:
            subreddits: of the posts.
            created: (q,) int64 microseconds since 1970.
            log_score: (q,) what they reached, or may reach.

        Returns:
            (q,) float64, NaN where fewer than `MIN_RANKED` posts count.
        """
        group = self._subreddit_codes(subreddits)
        asked = group >= 0
        group, created, log_score = group[asked], created[asked], log_score[asked]
        span = int(window.total_seconds() * 1_000_000)
        # A post counts from when its score is known until the window has passed it: what has
        # arrived less what has left again.
        counts = self._matured.known <= self._matured.created + span
        posts = self._matured.where(counts)
        levels, rank = np.unique(posts.log_score, return_inverse=True)
        least, most = (
            np.searchsorted(levels, log_score),
            np.searchsorted(levels, log_score, "right"),
        )
        arrived, left = Events(posts.subreddit, posts.known), Events(posts.subreddit, posts.created)
        among, below = np.zeros(len(group), dtype=np.int64), np.zeros(len(group))
        for events, until, sign in (
            (arrived, arrived.until(group, created), 1),
            (left, left.until(group, created - span, inclusive=False), -1),
        ):
            ranks, start = rank[events.order], events.start(group)
            among += sign * (until - start)
            below += sign * count_below(ranks, start, until, least) / 2
            below += sign * count_below(ranks, start, until, most) / 2
        percentile = np.full(len(asked), np.nan)
        percentile[asked] = np.divide(
            below, among, out=np.full(len(group), np.nan), where=among >= MIN_RANKED
        )
        return percentile

    def _subreddit_codes(self, names: pa.ChunkedArray) -> np.ndarray:
        return _codes(pc.utf8_lower(names), self._subreddits)  # Reddit's names ignore case

    def _author_codes(self, ids: pa.ChunkedArray) -> np.ndarray:
        return _codes(ids, self._authors)


def log_scores(scores: pa.ChunkedArray) -> np.ndarray:
    """log1p of the scores, those under 0 taken as 0."""
    return np.log1p(np.maximum(pc.cast(scores, pa.float64()).to_numpy(), 0.0))


def _ask_known(sums: _Sums, groups: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `_Sums.ask`, for groups of which some are -1: nothing is known of those."""
    known = groups >= 0
    count, mean = np.zeros(len(groups)), np.full(len(groups), np.nan)
    count[known], mean[known] = sums.ask(groups[known], times[known])
    return count, mean


def _newest_known(sums: _Sums, groups: np.ndarray, times: np.ndarray, most: int) -> np.ndarray:
    """As `_Sums.newest`, for groups of which some are -1: nothing is known of those."""
    known = groups >= 0
    mean = np.full(len(groups), np.nan)
    mean[known] = sums.newest(groups[known], times[known], most)
    return mean


def _distinct(names: pa.ChunkedArray) -> pa.Array:
    return pc.drop_null(pc.unique(names))


def _codes(names: pa.ChunkedArray, distinct: pa.Array) -> np.ndarray:
    return pc.fill_null(pc.index_in(names, value_set=distinct), -1).to_numpy()


def _running(values: np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(values)))
