"""Reposts: whether an image was posted before, and what it earned, as known when a post went up.

Two files show the same image where they are equal, or where their perceptual hashes are. Such a
hash has half of its bits set unless the image is flat, striped or otherwise plain; many plain
images share a hash, so of those only equal files count.

An earlier post counts from its first observation, its score from when its label was known. A post
that was first observed when it had matured, as in a dump, counts from the maturity age on; see
`mmrl.samples.known_at`.
"""

from collections.abc import Iterable
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog
from mmrl.catalog.query import distinct_values
from mmrl.samples.features import microseconds
from mmrl.samples.history import codes, log_scores
from mmrl.samples.known_at import NEVER, label_known_at
from mmrl.samples.ranks import Events
from mmrl.samples.sums import Sums

_BITS = 64  # of a perceptual hash
_ONES = np.array([digit.bit_count() for digit in range(16)])


def image_key(sha256: str, phash: str) -> str:
    """What two files have in common if they show the same image."""
    return phash if _tells(pa.array([phash]))[0] else sha256


def image_keys(catalog: Catalog, images: pa.ChunkedArray) -> pa.ChunkedArray:
    """The `image_key` of n images, null where there is none; the hash of one that is gone.

    Args:
        images: (n,) hashes, or null.
    """
    stored = catalog.lookup("images", "sha256", images, ["sha256", "phash"])
    row = pc.index_in(images, value_set=stored["sha256"].combine_chunks(), skip_nulls=True)
    return pc.coalesce(_keys_of(stored).take(row.combine_chunks()), images)


def images_alike(catalog: Catalog, keys: Iterable[str]) -> pa.Table:
    """`sha256` and `key` of the images in a catalog whose key is among these."""
    asked = pa.array(sorted(set(keys)), pa.string())
    matches = []
    for column in ("sha256", "phash"):
        stored = catalog.lookup("images", column, asked, ["sha256", "phash"])
        rows = stored.select(["sha256"]).append_column("key", _keys_of(stored))
        matches.append(rows.filter(pc.is_in(rows["key"], value_set=asked)))
    return pa.concat_tables(matches)  # an image's key is either its hash or its perceptual one


def _keys_of(images: pa.Table) -> pa.Array:
    """The `image_key` of each of n images, (n,); of their hashes and perceptual hashes."""
    phashes = images["phash"].combine_chunks()
    tells = pa.array(_tells(phashes), pa.bool_())
    return pc.if_else(tells, phashes, images["sha256"].combine_chunks())


def _tells(phashes: pa.StringArray) -> np.ndarray:
    """Which of n perceptual hashes tell an image from others, (n,) bool: half of their bits are
    set."""
    if not len(phashes):
        return np.zeros(0, bool)
    _, starts, text = phashes.buffers()
    ends = np.frombuffer(starts, np.int32)[phashes.offset : phashes.offset + len(phashes) + 1]
    signs = np.frombuffer(text, np.uint8)[ends[0] : ends[-1]].reshape(len(phashes), _BITS // 4)
    ones = _ONES[np.where(signs >= ord("a"), signs - ord("a") + 10, signs - ord("0"))].sum(axis=1)
    return np.asarray(ones == _BITS // 2)


class Reposts:
    """The posts of a catalog by their image, ready to be asked about any moment before its time."""

    def __init__(self, posts: pa.Table, keys: pa.ChunkedArray, mature_after: timedelta) -> None:
        """Sorts n posts, with or without a label.

        Args:
            posts: created_at, first_look_at, label_observed_at and score, as of the catalog's time.
            keys: (n,) of their images; null for none.
        """
        self._keys = distinct_values(keys)
        group = codes(keys, self._keys)
        log_score = log_scores(posts["score"])
        known = label_known_at(posts, mature_after)
        seen = np.minimum(_seen_at(posts), known)
        seen = np.maximum(seen, microseconds(posts["created_at"]))
        posted = (group >= 0) & (seen < NEVER)
        labelled = (group >= 0) & ~np.isnan(log_score)
        self._posted = Events(group[posted], seen[posted])
        self._scores = Sums(group[labelled], known[labelled], log_score[labelled])

    def known(self, keys: pa.Array) -> pa.Array:
        """Which of n keys are those of a post's image, (n,) bool."""
        return pc.is_in(keys, value_set=self._keys)

    def features(self, keys: pa.ChunkedArray, created: np.ndarray) -> dict[str, np.ndarray]:
        """IMAGE_HISTORY_FEATURES of q posts, whether they are among the n or not posted yet.

        Args:
            keys: (q,) of their images; null for none.
            created: (q,) int64 microseconds since 1970.

        Returns:
            (q,) float64 each, NaN where there is no image, or no score known of it.
        """
        group = codes(keys, self._keys)
        posts = np.zeros(len(group))
        there = group >= 0
        asked, moments = group[there], created[there]
        # Strictly before, so that a post is not among its own earlier ones.
        before = self._posted.until(asked, moments, inclusive=False) - self._posted.start(asked)
        posts[there] = before
        posts[pc.is_null(keys).to_numpy()] = np.nan
        return {
            "image_seen_before": np.where(np.isnan(posts), np.nan, posts > 0),
            "log_image_posts_before": np.log1p(posts),
            "image_mean_log_score": self._scores.moments(group, created).mean,
        }


def _seen_at(posts: pa.Table) -> np.ndarray:
    """When each post was first observed, (n,) int64; `NEVER` where it was not."""
    return pc.fill_null(pc.cast(posts["first_look_at"], pa.int64()), NEVER).to_numpy()
