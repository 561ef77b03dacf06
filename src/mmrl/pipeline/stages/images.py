"""Selected images, their bytes and their failures, for the stages that read images."""

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Failed, quote, without
from mmrl.catalog.tables import embeddings_table
from mmrl.config import ImageSettings
from mmrl.encoders.contents import Unencoded
from mmrl.encoders.profiles import Profile
from mmrl.encoders.protocols import Follower, Uncaptioned
from mmrl.images.image import Refused
from mmrl.images.safety import check_url
from mmrl.sources.kinds import may_name_files


def selected(catalog: Catalog, posts: pa.Array | None = None) -> pa.Table:
    """`post_id` of the posts that the filter keeps, of all or of some."""
    return catalog.lookup("selection", "post_id", posts, ["post_id"], "reason IS NULL")


def selected_images(catalog: Catalog, posts: pa.Array | None = None) -> pa.Table:
    """`post_id` and `sha256` of the selected posts, of all or of some, that have an image."""
    kept = selected(catalog, posts)["post_id"]
    images = catalog.lookup(
        "post_images", "post_id", None if posts is None else kept, ["post_id", "sha256"]
    )
    return images.filter(pc.is_in(images["post_id"], value_set=_array(kept)))


def images_of(catalog: Catalog, posts: pa.Array | None) -> pa.Table:
    """The images of selected posts, of all or of some, each once as `key`."""
    return pa.table({"key": selected_images(catalog, posts)["sha256"].unique()})


def to_do(
    catalog: Catalog,
    contents: pa.Table,
    done: tuple[str, str, str],
    failures: tuple[str, datetime, str | None],
    some: bool,
) -> pa.Table:
    """The contents, by `key`, that are neither done nor failed and not due; sorted.

    Args:
        done: the table that holds what is done, its column with the keys, and which of its rows
            count, in SQL.
        failures: the stage, the present, and the model that would try; see `open_failures`.
        some: they are but some of all contents.
    """
    table, column, where = done
    for keys in (
        lambda rows: catalog.lookup(table, column, rows, [column], where)[column],
        lambda rows: catalog.open_failures(*failures, rows),
    ):
        contents = without(contents, "key", keys(contents["key"] if some else None))
    return contents.sort_by("key")


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


def add_seen(
    catalog: Catalog, rows: pa.Table, column: str, profile: Profile, role: str
) -> pa.Table:
    """The rows with their images' stored vectors as `seen`, where the role's model follows them.

    Args:
        column: holds the images' SHA-256.
    """
    if not profile.follows(role):
        return rows
    table = embeddings_table("image", profile.dims["image"])
    where = f"encoder = {quote(profile.ids['image'])}"
    embeddings = catalog.lookup(
        table, "content", rows[column].to_pylist(), ["content", "vector"], where
    )
    place = pc.index_in(rows[column], value_set=_array(embeddings["content"]))
    return rows.append_column("seen", embeddings["vector"].take(place))


def remember_seen(model: Follower, batch: pa.Table, column: str) -> None:
    """Hands the vectors of `add_seen` to the model."""
    there = batch.filter(pc.is_valid(batch["seen"]))
    if there.num_rows:
        vectors = there["seen"].combine_chunks().flatten().to_numpy()
        model.remember(there[column].to_pylist(), vectors.reshape(there.num_rows, -1))


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
