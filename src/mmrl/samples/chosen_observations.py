"""Chosen observations of a post: the first for its features, the first mature one for its label."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.samples.features import microseconds


@dataclass(frozen=True)
class Chosen:
    """Rows of an observation table, one a post, -1 where a post has none.

    Attributes:
        first: the earliest observation, whatever its age.
        label: the earliest trusted observation of the mature post: its score is settled (or not
            known to be unsettled), and it has a score or a removal.
    """

    first: np.ndarray
    label: np.ndarray


def choose_observations(
    observations: pa.Table, post_ids: pa.Array, created_at: pa.Array, mature_after: timedelta
) -> Chosen:
    """Finds each post's first observation and label observation.

    Args:
        observations: in any order; with post_id, observed_at, score, settled and removed_by.
            Those of other posts are ignored.
        post_ids: the posts, each once, (n,).
        created_at: when each of them went up, (n,).
        mature_after: the least age at a label observation.
    """
    post = pc.fill_null(pc.index_in(observations["post_id"], value_set=post_ids), -1).to_numpy()
    observed = microseconds(observations["observed_at"])
    known = post >= 0
    mature_at = microseconds(created_at) + int(mature_after.total_seconds() * 1_000_000)
    mature = np.zeros(len(post), dtype=bool)
    mature[known] = observed[known] >= mature_at[post[known]]
    trusted = pc.and_(
        pc.fill_null(observations["settled"], True),
        pc.or_(pc.is_valid(observations["score"]), pc.is_valid(observations["removed_by"])),
    ).to_numpy()
    return Chosen(
        first=_earliest(post, observed, known, len(post_ids)),
        label=_earliest(post, observed, known & mature & trusted, len(post_ids)),
    )


def _earliest(post: np.ndarray, observed: np.ndarray, among: np.ndarray, posts: int) -> np.ndarray:
    """The row of each post's earliest observation among those marked."""
    rows = np.flatnonzero(among)
    ordered = rows[np.lexsort((observed[rows], post[rows]))]
    which, start = np.unique(post[ordered], return_index=True)
    earliest = np.full(posts, -1, dtype=np.int64)
    earliest[which] = ordered[start]
    return earliest
