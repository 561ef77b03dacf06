"""Fates of posts, kept or removed by moderators and filters, as known at a time.

Both are told by looks at the maturity age or later, so that of young posts neither is known: were
removals taken from earlier looks, the newest posts of known fate would all be removed ones. A post
was removed where its newest observation by then says so; one that was given back stands. What its
author deleted, and what the source no longer shows, tells neither. As for scores
(`mmrl.samples.known_at`), a post that was first observed when it had matured, as in a dump, counts
as known from the maturity age on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment, quote
from mmrl.catalog.columns import TIME
from mmrl.catalog.keys import author_keys
from mmrl.catalog.query import distinct_values
from mmrl.catalog.removers import MODERATED
from mmrl.config import Settings
from mmrl.samples.features import INPUTS, microseconds, post_features
from mmrl.samples.history import codes
from mmrl.samples.load import mature_after
from mmrl.samples.sums import Sums
from mmrl.times import parse_time

# What of a post a person can change, as `post_features` says it.
MARKS = (
    *("title_has_brackets", "title_has_question", "title_has_exclamation", "title_has_digit"),
    *("title_upper_share", "log_title_chars", "has_flair", "over_18", "spoiler"),
    *("hour_sin", "hour_cos", "weekday_sin", "weekday_cos"),
)
PLACED = np.array([name.startswith(("hour", "weekday")) for name in MARKS])  # of the hour alone
_FACTS = ("post_id", "subreddit", "author_id", "author_name", "created_at", "title")
_GIVEN = ("over_18", "spoiler", "flair", "flair_known_at")
_UNREADABLE = ("[removed]", "[deleted]", "[deleted by user]")  # titles that were taken away, too
_LIKE_ALL = 30.0  # posts of all subreddits that a subreddit's rate is drawn to
_LIKE_SUBREDDIT = 3.0  # posts of the subreddit that an author's rate is drawn to


def posts_with_fates(catalog: Catalog, settings: Settings, as_of: datetime) -> pa.Table:
    """Posts whose fate was known at a time, filtered out or not, in the order they were created.

    Where removed posts were purged, those that stayed say too much: then only posts count that went
    up after the newest such purge, even one that came later than the time asked for.

    Returns:
        post_id, subreddit, author (as `author_keys`), created_at, title, over_18, spoiler, flair;
        `removed`, and `known`, from when on that was known, in microseconds since 1970.
    """
    which, looks = f"first_seen_at <= {moment(as_of)}", f"observed_at <= {moment(as_of)}"
    since = _purged_until(catalog)
    if since is not None:
        which += f" AND created_at >= {moment(since)}"
        looks += f" AND observed_at >= {moment(since)}"
    posts = catalog.read("posts", [*_FACTS, *_GIVEN], which)
    seen = catalog.read("observations", ["post_id", "observed_at", "removed_by"], looks)
    readable = pc.invert(pc.is_in(posts["title"], value_set=pa.array(_UNREADABLE)))
    posts = posts.filter(readable).sort_by([("created_at", "ascending"), ("post_id", "ascending")])
    posts = posts.combine_chunks()
    removed, known = _fates(posts, seen, mature_after(settings))
    flair = pc.if_else(pc.is_valid(posts["flair_known_at"]), None, posts["flair"])
    table = pa.table(
        {
            **{name: posts[name] for name in ("post_id", "subreddit", "created_at", "title")},
            "author": author_keys(posts["author_id"], posts["author_name"]),
            **{name: posts[name] for name in ("over_18", "spoiler")},
            "flair": flair,
            "removed": pa.array(removed == 1),
            "known": pa.array(known),
        }
    )
    return table.filter(pa.array(removed >= 0))


def _purged_until(catalog: Catalog) -> datetime | None:
    """The end of the newest day on which removed posts were erased; None for none."""
    reasons = ", ".join(quote(reason) for reason in sorted(MODERATED))
    days = catalog.read("purged", ["day"], f"reason IN ({reasons})")["day"].to_pylist()
    return parse_time(max(days)) + timedelta(days=1) if days else None


def _fates(posts: pa.Table, seen: pa.Table, mature: timedelta) -> tuple[np.ndarray, np.ndarray]:
    """1 for a removed post, 0 for one that stayed, -1 for neither; and since when that is known."""
    place = pc.index_in(seen["post_id"], value_set=posts["post_id"].combine_chunks())
    seen = seen.append_column("place", place).filter(pc.is_valid(place))
    matured_at = microseconds(posts["created_at"]) + mature // timedelta(microseconds=1)
    of_post, at = seen["place"].to_numpy(), microseconds(seen["observed_at"])
    count = posts.num_rows
    fate, never = np.full(count, -1, np.int8), np.iinfo(np.int64).max
    first, taken, stood = (np.full(count, never) for _ in range(3))
    np.minimum.at(first, of_post, at)
    seen = seen.filter(pa.array(at >= matured_at[of_post]))
    seen = seen.sort_by([("place", "ascending"), ("observed_at", "ascending")])
    of_post, at = seen["place"].to_numpy(), microseconds(seen["observed_at"])
    gone = seen["removed_by"]
    moderated = pc.fill_null(
        pc.is_in(gone, value_set=pa.array(sorted(MODERATED))), False
    ).to_numpy()
    stands = pc.is_null(gone).to_numpy()
    np.minimum.at(taken, of_post[moderated], at[moderated])
    np.minimum.at(stood, of_post[stands], at[stands])
    fate[of_post] = np.where(moderated, 1, np.where(stands, 0, -1))  # the newest is written last
    known = np.where(fate == 1, taken, stood)
    return fate, np.where(first >= matured_at, matured_at, known)


def marks_of(posts: pa.Table) -> np.ndarray:
    """MARKS of n posts, (n, len(MARKS)).

    Args:
        posts: title, created_at, over_18, spoiler and flair, by these names.
    """
    rows = posts.num_rows
    columns = {
        field.name: posts[field.name]
        if field.name in posts.column_names
        else pa.nulls(rows, field.type)
        for field in INPUTS
    }
    features = post_features(pa.table(columns).cast(INPUTS))
    return np.stack(
        [np.nan_to_num(features[name].to_numpy(zero_copy_only=False)) for name in MARKS], 1
    )


@dataclass(frozen=True)
class Rates:
    """Logits of the rates at which posts are removed, (n,).

    Attributes:
        subreddit: of the post's subreddit, drawn to that of all where few posts are known.
        author: how much that of the author's own lies above it; 0 for an unknown author.
    """

    subreddit: np.ndarray
    author: np.ndarray


class RemovalHistory:
    """Fates of posts, ready to be asked about any moment."""

    def __init__(self, posts: pa.Table) -> None:
        """Sorts posts of `posts_with_fates`."""
        self._names = distinct_values(pc.utf8_lower(posts["subreddit"]))
        self._authors = distinct_values(posts["author"])
        known = posts["known"].to_numpy()
        removed = posts["removed"].to_numpy().astype(np.float64)
        of_subreddit = codes(pc.utf8_lower(posts["subreddit"]), self._names)
        of_author = codes(posts["author"], self._authors)
        named = of_author >= 0
        self._all = Sums(np.zeros(len(known), np.int64), known, removed)
        self._subreddits = Sums(of_subreddit, known, removed)
        self._of_authors = Sums(of_author[named], known[named], removed[named])

    def rates(
        self, subreddits: pa.ChunkedArray, authors: pa.ChunkedArray, created: np.ndarray
    ) -> Rates:
        """The rates that were known when n posts went up.

        Args:
            created: (n,) int64 microseconds since 1970.
        """
        everywhere = self._rate(self._all, np.zeros(len(created), np.int64), created, 0.5, 1.0)
        group = codes(pc.utf8_lower(subreddits), self._names)
        here = self._rate(self._subreddits, group, created, everywhere, _LIKE_ALL)
        author = codes(authors, self._authors)
        own = self._rate(self._of_authors, author, created, here, _LIKE_SUBREDDIT)
        return Rates(logit(here), logit(own) - logit(here))

    def counts(self, subreddits: Sequence[str], until: int) -> tuple[np.ndarray, np.ndarray]:
        """How many posts of subreddits had a known fate by a time, and how many were removed."""
        group = codes(pa.chunked_array([pa.array(subreddits, pa.string())]), self._names)
        moments = self._subreddits.moments(group, np.full(len(group), until))
        return moments.count, np.nan_to_num(moments.mean) * moments.count

    @staticmethod
    def _rate(
        sums: Sums, group: np.ndarray, created: np.ndarray, prior: np.ndarray | float, weight: float
    ) -> np.ndarray:
        moments = sums.moments(group, created)
        removed = np.nan_to_num(moments.mean) * moments.count
        return (removed + prior * weight) / (moments.count + weight)


def logit(share: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), of shares that are kept a little away from 0 and 1."""
    kept = np.clip(share, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(kept / (1 - kept)))


def times_of(posts: pa.Table) -> np.ndarray:
    """When posts went up, in microseconds since 1970."""
    return microseconds(posts["created_at"].cast(TIME))
