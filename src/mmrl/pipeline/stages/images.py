"""Selected images, their bytes and their failures, for the stages that read images."""

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Failed, without
from mmrl.config import ImageSettings
from mmrl.encoders.contents import Unencoded
from mmrl.encoders.protocols import Uncaptioned
from mmrl.images.image import Refused
from mmrl.images.safety import check_url
from mmrl.sources.kinds import may_name_files


def selected(catalog: Catalog) -> pa.Table:
    """`post_id` of the posts that the filter keeps."""
    return catalog.read("selection", ["post_id"], "reason IS NULL")


def selected_images(catalog: Catalog) -> pa.Table:
    """`post_id` and `sha256` of the selected posts that have an image."""
    images = catalog.read("post_images", ["post_id", "sha256"])
    return images.filter(
        pc.is_in(images["post_id"], value_set=_array(selected(catalog)["post_id"]))
    )


def pending_images(catalog: Catalog, table: str, where: str, failures: Collection[str]) -> pa.Table:
    """The selected images, each once as `key`, that a table does not hold yet; sorted.

    Args:
        table: holds `sha256`.
        where: of the table's rows, those that count, in SQL.
        failures: images that failed and are not due.
    """
    images = pa.table({"key": selected_images(catalog)["sha256"].unique()})
    held = catalog.read(table, ["sha256"], where)["sha256"].to_pylist()
    return without(without(images, "key", held), "key", failures).sort_by("key")


def may_fetch(image_url: str, source: str, images: ImageSettings) -> bool:
    """True where a post's image may be asked for.

    Only imported tables may name files: a post from the net must never do so.
    """
    if image_url.startswith("file://"):
        return may_name_files(source)
    return not isinstance(check_url(image_url, images), Refused)


def add_bytes(catalog: Catalog, rows: pa.Table, column: str) -> pa.Table:
    """The rows with their images' `bytes`, null where an image is no longer there."""
    images = catalog.lookup("images", "sha256", rows[column].to_pylist(), ["sha256", "bytes"])
    place = pc.index_in(rows[column], value_set=_array(images["sha256"]))
    return rows.append_column("bytes", images["bytes"].take(place))


def failed(
    batch: pa.Table, failures: Mapping[int, Unencoded], encoder: str | None = None
) -> list[Failed]:
    """The failures of a batch's rows, for `Results`.

    Args:
        batch: with a column `key`.
        failures: by the row's place.
        encoder: the id of the captioner, where another one may do better.
    """
    keys = batch["key"].to_pylist()
    return [
        Failed(keys[place], failure.reason, failure.detail, failure.transient, encoder)
        if isinstance(failure, Uncaptioned)
        else Failed(keys[place], failure.reason, failure.detail)
        for place, failure in failures.items()
    ]


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
