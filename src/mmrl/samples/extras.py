"""Extra features joined to samples: flair, tags and columns that people bring, as texts by name.

The column `extra` holds them all. Those that are words have a vector, too: feature NAME's are in
the column `text:NAME`.
"""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import TEXT
from mmrl.catalog.keys import text_content
from mmrl.encoders.image_text import READER
from mmrl.samples.batches import Contents
from mmrl.samples.vectors import vector_dim
from mmrl.sources.extras import FLAIR, IMAGE_TEXT, number_of

EXTRA = "extra"  # the column, and what they are called together
EXTRA_TYPE = pa.map_(pa.string(), pa.string())
_PREFIX = f"{TEXT}:"


def text_column(name: str) -> str:
    """The column with the vectors of a feature, by the feature's name."""
    return _PREFIX + name


def text_columns(names: Iterable[str]) -> list[str]:
    """Those among names of columns that hold vectors of a feature."""
    return [name for name in names if name.startswith(_PREFIX)]


def text_key(value: str) -> str | None:
    """The key of a value's vector; None for a number, which has none."""
    return text_content(value) if number_of(value) is None else None


def extras_of_posts(
    catalog: Catalog, post_ids: pa.ChunkedArray, *, image_texts: bool = True
) -> dict[str, dict[str, str]]:
    """Extra features by post and name, in the order of the ids; a post without any has none.

    Args:
        image_texts: the text that images show among them, where it was read. A column of that name
            that people bring goes before it.
    """
    of_post: dict[str, dict[str, str]] = {post_id: {} for post_id in post_ids.to_pylist()}
    if image_texts and catalog.count("image_texts"):
        where = f"reader = {quote(READER)} AND text != ''"
        shown = catalog.lookup("post_images", "post_id", post_ids, ["post_id", "sha256"])
        columns = ["sha256", "text"]
        read = catalog.lookup("image_texts", "sha256", shown["sha256"], columns, where)
        row = pc.index_in(shown["sha256"], value_set=read["sha256"].combine_chunks())
        shown, row = shown.filter(pc.is_valid(row)), row.drop_null()
        _put(of_post, shown["post_id"], [IMAGE_TEXT] * shown.num_rows, read["text"].take(row))
    in_time = "flair IS NOT NULL AND flair_known_at IS NULL"
    flairs = catalog.lookup("posts", "post_id", post_ids, ["post_id", "flair"], in_time)
    _put(of_post, flairs["post_id"], [FLAIR] * flairs.num_rows, flairs["flair"])
    rows = catalog.lookup("extra_features", "post_id", post_ids)
    _put(of_post, rows["post_id"], rows["name"].to_pylist(), rows["value"])
    return of_post


def extras_column(extras: Sequence[Mapping[str, str]]) -> pa.Array:
    """Extra features at hand, by name, as a column of samples; those of a post sorted by name."""
    return pa.array([sorted(of_post.items()) for of_post in extras], EXTRA_TYPE)


def extras_of(samples: pa.Table) -> list[dict[str, str]]:
    """Each sample's extra features by name; none where samples have no such column."""
    if EXTRA not in samples.schema.names:
        return [{} for _ in range(samples.num_rows)]
    return [dict(of_post or ()) for of_post in samples[EXTRA].to_pylist()]


def text_contents(
    catalog: Catalog, encoder: str, dim: int | None, extras: Sequence[Mapping[str, str]]
) -> dict[str, Contents]:
    """What the vectors of the extra features of n posts are of, by column.

    A feature that is a number wherever a post has it has no column.

    Args:
        dim: of the vectors; None: as the catalog has them.
        extras: by name, a mapping a post.

    Raises:
        InputError: `dim` is None, there are texts, and the encoder embedded nothing.
    """
    by_column = {}
    for name in sorted({name for of_post in extras for name in of_post}):
        keys = [text_key(of_post[name]) if name in of_post else None for of_post in extras]
        if any(keys):
            dim = vector_dim(catalog, TEXT, encoder) if dim is None else dim
            contents = pa.array(keys, pa.string())
            by_column[text_column(name)] = Contents(TEXT, encoder, dim, contents)
    return by_column


def _put(
    of_post: Mapping[str, dict[str, str]],
    post_ids: pa.ChunkedArray,
    names: Sequence[str],
    values: pa.ChunkedArray,
) -> None:
    for post_id, name, value in zip(post_ids.to_pylist(), names, values.to_pylist(), strict=True):
        if post_id in of_post:
            of_post[post_id][name] = value
