"""What the caption and embed stages share: selected pictures, their bytes, and broken ones."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.encoders.protocols import UnreadableImagesError

Encoded = TypeVar("Encoded")


def selected(catalog: Catalog) -> pa.Table:
    """`post_id` of the posts that the filter keeps."""
    return catalog.read("selection", ["post_id"], "reason IS NULL")


def pictures(catalog: Catalog) -> pa.Table:
    """`post_id` and `sha256` of the selected posts that have an image."""
    images = catalog.read("post_images", ["post_id", "sha256"])
    return images.filter(
        pc.is_in(images["post_id"], value_set=_array(selected(catalog)["post_id"]))
    )


def add_bytes(catalog: Catalog, rows: pa.Table, column: str) -> pa.Table:
    """The rows with their images' `bytes`, null where an image is no longer there."""
    images = catalog.lookup("images", "sha256", rows[column].to_pylist(), ["sha256", "bytes"])
    place = pc.index_in(rows[column], value_set=_array(images["sha256"]))
    return rows.append_column("bytes", images["bytes"].take(place))


def encode_readable(
    batch: pa.Table, encode: Callable[..., Encoded], texts: Sequence[str] | None = None
) -> tuple[Encoded | None, pa.Table, list[Failed]]:
    """Calls `encode(images)` or `encode(images, texts)` on what decodes of a batch.

    Args:
        batch: columns `key` and `bytes`, and whatever else.
        texts: one a row.

    Returns:
        what `encode` gave (None for no row), the rows it is for, and the rows that failed.
    """
    there = pc.is_valid(batch["bytes"]).to_pylist()
    failed = [
        Failed(key, Reason.BROKEN_IMAGE, "its bytes are not in the catalog")
        for key, known in zip(batch["key"].to_pylist(), there, strict=True)
        if not known
    ]
    kept = [row for row, known in enumerate(there) if known]
    for _ in range(2):  # once more for the good ones, where the encoder remembers them
        if not kept:
            break
        rows = batch.take(pa.array(kept, pa.int64()))
        images = rows["bytes"].to_pylist()
        arguments = [images] if texts is None else [images, [texts[row] for row in kept]]
        try:
            return encode(*arguments), rows, failed
        except UnreadableImagesError as error:
            keys = rows["key"].to_pylist()
            failed += [
                Failed(keys[place], error.reasons[place], detail)
                for place, detail in error.errors.items()
            ]
            readable = [place for place in range(len(kept)) if place not in error.errors]
            if error.done is not None:
                return error.done, rows.take(pa.array(readable, pa.int64())), failed
            kept = [kept[place] for place in readable]
    return None, batch.slice(0, 0), failed


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
