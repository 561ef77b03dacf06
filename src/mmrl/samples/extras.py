"""Extra features joined to samples: flair, tags and columns that people bring, as texts by name."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.sources.extras import FLAIR

EXTRA = "extra"  # the column, and what they are called together
EXTRA_TYPE = pa.map_(pa.string(), pa.string())


def join_extras(catalog: Catalog, post_ids: pa.ChunkedArray) -> pa.Array:
    """Extra features of n posts, in the order given."""
    of_post: dict[str, dict[str, str]] = {post_id: {} for post_id in post_ids.to_pylist()}
    flairs = catalog.read("posts", ["post_id", "flair"], "flair IS NOT NULL")
    _put(of_post, flairs["post_id"], [FLAIR] * flairs.num_rows, flairs["flair"])
    rows = catalog.read("extra_features")
    _put(of_post, rows["post_id"], rows["name"].to_pylist(), rows["value"])
    return extras_column(list(of_post.values()))


def extras_column(extras: Sequence[Mapping[str, str]]) -> pa.Array:
    """Extra features at hand, by name, as a column of samples; those of a post sorted by name."""
    return pa.array([sorted(of_post.items()) for of_post in extras], EXTRA_TYPE)


def extras_of(samples: pa.Table) -> list[dict[str, str]]:
    """Each sample's extra features by name; none where samples have no such column."""
    if EXTRA not in samples.schema.names:
        return [{} for _ in range(samples.num_rows)]
    return [dict(of_post or ()) for of_post in samples[EXTRA].to_pylist()]


def _put(
    of_post: Mapping[str, dict[str, str]],
    post_ids: pa.ChunkedArray,
    names: Sequence[str],
    values: pa.ChunkedArray,
) -> None:
    for post_id, name, value in zip(post_ids.to_pylist(), names, values.to_pylist(), strict=True):
        if post_id in of_post:
            of_post[post_id][name] = value
