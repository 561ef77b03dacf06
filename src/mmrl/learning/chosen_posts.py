"""The posts that a training uses, where there are more than it may: the newest, and of the older
ones a sample.

Half of what may be used is the newest posts, for levels move and the posts to be judged on are the
newest; the rest is drawn from older ones. Where four weeks bring more than that half, it is drawn
from all of these weeks: taken whole, the newest might be of a few hours, and a split needs days
between its parts. A draw takes from each subreddit's posts of each month as large a share as from
any other. A post's place in the draw is its own, given by the seed, so that
most of what is drawn today is drawn tomorrow, too.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.config import TrainSettings
from mmrl.errors import InputError
from mmrl.samples.features import microseconds

_NEWEST = 0.5  # share of the posts used
_NEWEST_SPAN = timedelta(days=28) // timedelta(microseconds=1)  # that they are from, at least


@dataclass(frozen=True)
class Chosen:
    """Rows of samples that a training uses.

    Attributes:
        rows: in the order of the samples.
        too_old: labelled posts older than the window.
        left_out: rows of labelled posts within it that were not drawn.
    """

    rows: np.ndarray
    too_old: int
    left_out: np.ndarray

    @property
    def thinned_out(self) -> int:
        """How many posts were not drawn."""
        return len(self.left_out)


def choose_posts(samples: pa.Table, usable: np.ndarray, options: TrainSettings) -> Chosen:
    """Chooses among n samples.

    Args:
        usable: which (n, bool) have the label that the target needs; others are never chosen.
        options: `window_days`, counted back from the newest of them, `max_posts` and `seed`.

    Raises:
        InputError: fewer than `min_samples` lie within the window.
    """
    rows = np.flatnonzero(usable)
    created = microseconds(samples["created_at"])
    within = rows
    if options.window_days is not None and len(rows):
        span = timedelta(days=options.window_days) // timedelta(microseconds=1)
        within = rows[created[rows] >= created[rows].max() - span]
    if len(within) < options.min_samples:
        raise InputError(
            f"train.window_days leaves {len(within):,} of {len(rows):,} labelled posts and "
            f"training needs {options.min_samples:,}: make the window longer, or lower "
            "train.min_samples."
        )
    most = options.max_posts
    chosen = within
    if most is not None and len(within) > most:
        in_time = within[np.argsort(created[within], kind="stable")]
        newest = round(most * _NEWEST)
        since = np.searchsorted(created[in_time], created[in_time[-1]] - _NEWEST_SPAN)
        older, recent = np.split(in_time, [min(int(since), len(in_time) - newest)])
        of_older = min(len(older), most - newest)
        counts = ((older, of_older), (recent, most - of_older))
        drawn = [_drawn(samples, rows_of, count, options.seed) for rows_of, count in counts]
        chosen = np.sort(np.concatenate(drawn))
    return Chosen(chosen, len(rows) - len(within), np.setdiff1d(within, chosen))


def _drawn(samples: pa.Table, rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many of the rows, from each subreddit's posts of each month as large a share as can be."""
    if count >= len(rows):
        return rows
    samples = samples.select(["post_id", "subreddit", "created_at"]).take(pa.array(rows))
    key = f"{seed}\n".encode()
    draws = np.array(
        [
            int.from_bytes(blake2b(key + post_id.encode(), digest_size=8).digest(), "big")
            for post_id in samples["post_id"].to_pylist()
        ],
        np.uint64,
    )
    names = pc.utf8_lower(samples["subreddit"]).combine_chunks().dictionary_encode()
    months = samples["created_at"].cast(pa.timestamp("us")).to_numpy().astype("datetime64[M]")
    _, stratum = np.unique(
        names.indices.to_numpy().astype(np.int64) * 1_000_000 + months.astype(np.int64),
        return_inverse=True,
    )
    order = np.lexsort((draws, stratum))
    sizes = np.bincount(stratum)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of = stratum[order]
    # How far down its stratum a post stands, 0 to 1: the same line drawn through all of them.
    depth = (np.arange(len(order)) - starts[of] + draws[order] / 2.0**64) / sizes[of]
    return np.asarray(rows[order[np.lexsort((draws[order], depth))[:count]]])
