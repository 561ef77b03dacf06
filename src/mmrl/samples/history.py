"""History of authors and subreddits, as known when a post went up, and a post's rank in its time.

Only posts that had matured by then count, from when their label was known; see
`mmrl.samples.known_at`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.samples.features import microseconds, time_features
from mmrl.samples.known_at import label_known_at
from mmrl.samples.ranks import Events, Ordered, smallest
from mmrl.samples.sums import Sums, Window

_QUARTER = timedelta(days=90)
MIN_RANKED = 10  # fewer posts before it give no percentile
_SECOND = 1_000_000  # in microseconds, the unit of all times in the catalog
_DAY, _WEEK = 86_400.0, 7 * 86_400.0  # in seconds


@dataclass(frozen=True)
class Matured:
    """n matured posts, as arrays.

    Attributes:
        subreddits, authors: names, and ids, that posts give the place of.
        subreddit, author: (n,) of each post; an author may be -1.
        created, known: (n,) int64 microseconds since 1970: when it went up, and when its label was
            known.
        log_score: (n,).
    """

    subreddits: pa.Array
    authors: pa.Array
    subreddit: np.ndarray
    author: np.ndarray
    created: np.ndarray
    known: np.ndarray
    log_score: np.ndarray

    @classmethod
    def of(cls, posts: pa.Table, mature_after: timedelta) -> Self:
        """Those of posts whose label was known at the time that a history is of.

        Args:
            posts: subreddit, author_id, created_at, first_look_at, label_observed_at and score. An
                author counts by those of his posts that name him.
        """
        subreddits, subreddit = numbered(posts["subreddit"], lower=True)
        authors, author = numbered(posts["author_id"])
        created, known = microseconds(posts["created_at"]), label_known_at(posts, mature_after)
        log_score = log_scores(posts["score"])
        return cls(subreddits, authors, subreddit, author, created, known, log_score)


class History:
    """The matured posts of a catalog at one time, ready to be asked about any moment before it."""

    def __init__(self, matured: Matured, since: int | None = None) -> None:
        """Sorts n matured posts.

        Args:
            since: the first moment that it is going to be asked about, in microseconds since 1970;
                any for None. What has left a window by then is not sorted.
        """
        self._matured = matured
        subreddit, author = matured.subreddit, matured.author
        created, known, log_score = matured.created, matured.known, matured.log_score

        self._subreddit = Sums(subreddit, known, log_score)
        self._quarter = Window(
            subreddit, created, known, log_score, _QUARTER // timedelta(microseconds=1), since
        )
        named = author >= 0
        mean = self._subreddit.moments(subreddit[named], created[named]).mean
        self._author = Sums(author[named], known[named], log_score[named])
        self._lift = Sums(author[named], known[named], log_score[named] - mean)
        self._author_created = created[named]
        pairs = self._pair(author[named], subreddit[named])
        self._pairs, place = np.unique(pairs, return_inverse=True)
        self._author_here = Sums(place, known[named], log_score[named])
        self._standings: dict[timedelta, Standings] = {}

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
        return {
            **self._of_author(author, subreddit, created, pc.is_null(authors).to_numpy()),
            **self._of_subreddit(subreddit, created),
            **time_features(created),
        }

    def _of_author(
        self,
        author: np.ndarray,
        subreddit: np.ndarray,
        created: np.ndarray,
        anonymous: np.ndarray,
    ) -> dict[str, np.ndarray]:
        known = self._author.moments(author, created)
        count = np.where(anonymous, np.nan, known.count)
        here = self._author_here.moments(self._author_here_codes(author, subreddit), created)
        first, last = self._author.ends(author, created)
        times = np.append(self._author_created, 0)
        since_first, since_last = (
            np.where(last < 0, np.nan, (created - times[event]) / _SECOND)
            for event in (first, last)
        )
        return {
            "log_author_posts": np.log1p(count),
            "author_seen_before": np.where(anonymous, np.nan, count > 0),
            "author_mean_log_score": known.mean,
            "author_mean_lift": self._lift.moments(author, created).mean,
            "author_last_log_score": self._author.moments(author, created, 1).mean,
            "author_last_3_mean": self._author.moments(author, created, 3).mean,
            "author_best_log_score": self._author.best(author, created),
            "author_spread": known.spread,
            "log_author_days_since_last": np.log1p(since_last / _DAY),
            "log_author_posts_a_week": np.log1p(count / np.maximum(since_first / _WEEK, 1.0)),
            "log_author_posts_here": np.where(anonymous, np.nan, np.log1p(here.count)),
            "author_mean_log_score_here": here.mean,
        }

    def _of_subreddit(self, subreddit: np.ndarray, created: np.ndarray) -> dict[str, np.ndarray]:
        known = self._subreddit.moments(subreddit, created)
        last = {most: self._subreddit.moments(subreddit, created, most) for most in (20, 50, 200)}
        quarter = self._quarter.moments(subreddit, created)
        return {
            "log_subreddit_posts": np.log1p(known.count),
            "subreddit_mean_log_score": known.mean,
            "subreddit_last_20_mean": last[20].mean,
            "subreddit_last_50_mean": last[50].mean,
            "subreddit_last_200_mean": last[200].mean,
            "subreddit_last_200_spread": last[200].spread,
            "subreddit_90_days_mean": quarter.mean,
            "subreddit_90_days_spread": quarter.spread,
        }

    def _pair(self, author: np.ndarray, subreddit: np.ndarray) -> np.ndarray:
        """A number for each pair of an author and a subreddit."""
        names = max(1, len(self._matured.subreddits))
        return np.asarray(author.astype(np.int64) * names + subreddit)

    def _author_here_codes(self, author: np.ndarray, subreddit: np.ndarray) -> np.ndarray:
        """The place of each pair among those that have matured posts; -1 for none."""
        pairs = self._pair(author, subreddit)
        place = np.searchsorted(self._pairs, pairs)
        there = np.append(self._pairs, -1)[place] == pairs
        return np.where(there & (author >= 0) & (subreddit >= 0), place, -1)

    def standings(self, window: timedelta) -> "Standings":
        """The posts among whose newest, of a span of time, others are ranked; kept once made."""
        if window not in self._standings:
            self._standings[window] = Standings(self._matured, window)
        return self._standings[window]

    def _subreddit_codes(self, names: pa.ChunkedArray) -> np.ndarray:
        return _subreddit_codes(names, self._matured.subreddits)

    def _author_codes(self, ids: pa.ChunkedArray) -> np.ndarray:
        return codes(ids, self._matured.authors)


class Standings:
    """Where scores stand in their subreddit, among its posts of the time before.

    Those count that were created within the window before a post and had matured when it went up.
    """

    def __init__(self, matured: Matured, window: timedelta) -> None:
        self._subreddits = matured.subreddits
        self._span = window // timedelta(microseconds=1)
        # A post counts from when its score is known until the window has passed it: what has
        # arrived less what has left again.
        counts = matured.known <= matured.created + self._span
        subreddit = matured.subreddit[counts]
        self._levels, rank = np.unique(matured.log_score[counts], return_inverse=True)
        bits = len(self._levels).bit_length()
        self._arrived = Events(subreddit, matured.known[counts])
        self._left = Events(subreddit, matured.created[counts])
        self._arrived_ranks = Ordered(rank[self._arrived.order], bits)
        self._left_ranks = Ordered(rank[self._left.order], bits)

    def percentiles(
        self, subreddits: pa.ChunkedArray, created: np.ndarray, log_score: np.ndarray
    ) -> np.ndarray:
        """The rank, 0 to 1, of q posts' scores: the share of posts below, and half its equals'.

        Args:
            subreddits: of the posts.
            created: (q,) int64 microseconds since 1970.
            log_score: (q,) what they reached, or may reach; or (q, k) of several.

        Returns:
            as log_score, float64; NaN where fewer than `MIN_RANKED` posts count.
        """
        asked, there, gone = self._stretches(subreddits, created)
        among = there[2] - there[1] - gone[2] + gone[1]
        each = 1 if log_score.ndim == 1 else log_score.shape[1]
        scores = log_score[asked].ravel()
        below = np.zeros(len(scores))
        for side in ("left", "right"):
            limit = np.searchsorted(self._levels, scores, side)
            for sign, (ranks, *ends) in ((1, there), (-1, gone)):
                start, stop = (np.repeat(end, each) for end in ends)
                below += sign * ranks.count_below(start, stop, limit) / 2
        among = np.repeat(among, each)
        share = np.divide(below, among, out=np.full(len(scores), np.nan), where=among >= MIN_RANKED)
        shares = np.full(log_score.shape, np.nan)
        shares[asked] = share.reshape(log_score[asked].shape)
        return shares

    def level(self, subreddits: pa.ChunkedArray, created: np.ndarray, share: float) -> np.ndarray:
        """The log score that this share of the posts that count lie below, for q posts.

        Args:
            share: from 0 to less than 1.

        Returns:
            (q,) float64, NaN where fewer than `MIN_RANKED` posts count.
        """
        asked, there, gone = self._stretches(subreddits, created)
        among = there[2] - there[1] - gone[2] + gone[1]
        enough = among >= MIN_RANKED
        rank = np.floor(share * among).astype(np.int64)
        levels = np.full(len(among), np.nan)
        levels[enough] = self._levels[
            smallest(
                (there[0], there[1][enough], there[2][enough]),
                (gone[0], gone[1][enough], gone[2][enough]),
                rank[enough],
            )
        ]
        level = np.full(len(asked), np.nan)
        level[asked] = levels
        return level

    def _stretches(
        self, subreddits: pa.ChunkedArray, created: np.ndarray
    ) -> tuple[
        np.ndarray,
        tuple[Ordered, np.ndarray, np.ndarray],
        tuple[Ordered, np.ndarray, np.ndarray],
    ]:
        """Which posts' subreddits are known; for these, what has arrived and what has left."""
        group = _subreddit_codes(subreddits, self._subreddits)
        asked = group >= 0
        group, created = group[asked], created[asked]
        arrived = self._arrived.until(group, created)
        left = self._left.until(group, created - self._span, inclusive=False)
        return (
            asked,
            (self._arrived_ranks, self._arrived.start(group), arrived),
            (self._left_ranks, self._left.start(group), left),
        )


def _subreddit_codes(names: pa.ChunkedArray, known: pa.Array) -> np.ndarray:
    return codes(pc.utf8_lower(names), known)  # Reddit's names ignore case


def log_scores(scores: pa.ChunkedArray) -> np.ndarray:
    """log1p of the scores, those under 0 taken as 0; of any size, as a file may hold them."""
    return np.log1p(np.maximum(pc.cast(scores, pa.float64(), safe=False).to_numpy(), 0.0))


def numbered(names: pa.ChunkedArray, *, lower: bool = False) -> tuple[pa.Array, np.ndarray]:
    """The names that there are, and the place of each of n among them, (n,); -1 for null.

    Args:
        names: texts, plain or dictionary-encoded.
        lower: take names that differ by case for one, and give it in lower case.
    """
    encoded = pc.dictionary_encode(names).combine_chunks()
    distinct = encoded.dictionary.cast(pa.string())
    place = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy())
    if not lower:
        return distinct, place
    lowered = pc.utf8_lower(distinct)
    return lowered.unique(), np.append(codes(lowered, lowered.unique()), -1)[place]


def codes(names: pa.Array | pa.ChunkedArray, known: pa.Array) -> np.ndarray:
    """The place of each name among the known ones, (n,); -1 for null and for another."""
    return np.asarray(pc.fill_null(pc.index_in(names, value_set=known), -1).to_numpy())
