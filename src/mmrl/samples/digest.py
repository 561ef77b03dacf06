"""Digest of labelled samples: the same short text, the same samples.

It is taken of the stored rows as they are, column by column, without history, vectors or extra
features as a model reads them: all those follow from the rows, and from the rules that `rules`
names. A vector comes from a content, whose key is among the rows.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment, quote
from mmrl.catalog.columns import COLOURS, IMAGE_STATISTICS
from mmrl.config import Settings
from mmrl.encoders.image_text import READER
from mmrl.images.measures.quality import VERSION
from mmrl.samples.known import read_known
from mmrl.samples.statistics import STATISTICS

# Tables that labelled samples are made of, but for their vectors.
_TABLES = ("samples", "selection", "posts", "extra_features", "image_texts", "images", STATISTICS)


def versions_read(catalog: Catalog) -> dict[str, int]:
    """The versions of the tables that samples are made of."""
    return {name: version for name, version in catalog.versions().items() if name in _TABLES}


def is_as_it_was(
    catalog: Catalog, versions: Mapping[str, int], then: datetime, as_of: datetime
) -> bool:
    """Whether samples at `as_of` can be told to be those of an earlier reading, by no more than the
    tables' versions: nothing was written since, and nothing stored became known in between.

    Args:
        versions: what `versions_read` gave then.
        then: the `as_of` of that reading.
    """
    if dict(versions) != versions_read(catalog) or as_of < then:
        return False
    between = [
        f"({name} > {moment(then)} AND {name} <= {moment(as_of)})"
        for name in ("first_seen_at", "first_look_at", "label_observed_at")
    ]
    return catalog.count("samples", " OR ".join(between)) == 0


def digest(catalog: Catalog, settings: Settings, as_of: datetime) -> tuple[int, str]:
    """How many labelled samples there are at `as_of`, and the digest of what they are made of."""
    rows = read_known(catalog, settings, as_of)
    rows = rows.filter(pc.is_valid(rows["score"])).sort_by("post_id")
    hasher = sha256()
    _add(hasher, rows)
    posts, images = rows["post_id"], rows["image_content"]
    in_time = "flair IS NOT NULL AND flair_known_at IS NULL"
    flairs = catalog.lookup("posts", "post_id", posts, ["post_id", "flair"], in_time)
    _add(hasher, flairs.sort_by("post_id"))
    extras = catalog.lookup("extra_features", "post_id", posts)
    _add(hasher, extras.sort_by([("post_id", "ascending"), ("name", "ascending")]))
    measured = catalog.lookup(
        STATISTICS,
        "sha256",
        images,
        ["sha256", IMAGE_STATISTICS[0], COLOURS],
        f"version = {quote(VERSION)}",
    ).sort_by("sha256")
    coloured = pc.is_valid(measured[COLOURS])
    _add(hasher, measured.drop_columns([COLOURS]).append_column(COLOURS, coloured))
    if settings.read_text:
        read = f"reader = {quote(READER)} AND text != ''"
        texts = catalog.lookup("image_texts", "sha256", images, ["sha256", "text"], read)
        _add(hasher, texts.sort_by("sha256"))
    return rows.num_rows, hasher.hexdigest()


def _add(hasher: Any, rows: pa.Table) -> None:
    """Adds all values of a table, each column by its name."""
    for name in sorted(rows.schema.names):
        column = rows[name]
        hasher.update(f"{name} {len(column)}\n".encode())
        hasher.update(column.is_null().to_numpy().tobytes())
        if pa.types.is_string(column.type):
            texts = pc.fill_null(column, "").to_pylist()
            lengths = pc.fill_null(pc.binary_length(column), 0)
            hasher.update(lengths.to_numpy().tobytes())
            hasher.update("".join(texts).encode())
        else:
            numbers = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            zero = pa.scalar(0).cast(numbers.type)
            hasher.update(pc.fill_null(numbers, zero).to_numpy().tobytes())
