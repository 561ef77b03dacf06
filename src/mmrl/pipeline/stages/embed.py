"""The `embed-*` stages: titles, captions, images, images with a text, and the flair, tags and texts
that people bring become vectors.

One stage a space. Equal contents are embedded once: a repost costs nothing. An empty caption (the
captioner abstained) gets no vector and is never pending; its post's caption vector is missing, and
learners mask it. A profile says whether an image is joined with its post's title or with its
caption; where it is the caption, it waits for that.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import EMBEDDED, TEXT
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.tables import embeddings, embeddings_table
from mmrl.encoders.contents import embed
from mmrl.encoders.profiles import Profile
from mmrl.encoders.protocols import Follower
from mmrl.errors import InputError
from mmrl.pipeline.stage import Results
from mmrl.pipeline.stages.images import (
    add_bytes,
    add_seen,
    failed,
    images_of,
    remember_seen,
    selected,
    selected_images,
    to_do,
)
from mmrl.samples.extras import extras_of_posts, text_key

TEXTS_CUT = "texts cut at the model's limit"

_CHUNKS = {"title": 4096, "caption": 4096, "image": 1024, "visual": 1024, TEXT: 4096}


class EmbedStage:
    """Writes `embeddings_{space}_{dim}`.

    Args:
        space: title, caption, image, visual (an image together with a text), or text (flair, tags
            and texts that people bring).
    """

    def __init__(self, space: str, profile: Profile) -> None:
        if space not in EMBEDDED:
            raise InputError(f"There is no space {space!r}; the spaces are {', '.join(EMBEDDED)}.")
        self.name = f"embed-{space}"
        self.chunk = _CHUNKS[space]
        self._space = space
        self._profile = profile
        self.rules = f"{profile.ids[space]} {profile.ids['captioner']} {profile.visual_text}"
        self.reads, self._contents = _CONTENTS[space]
        if space == "visual" and profile.visual_text != "title":
            self.reads, self._contents = _CAPTIONED, _captioned_images
        self.writes = embeddings_table(space, profile.dims[space])

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """Contents without a vector by this encoder.

        Returns:
            `key` (the content's hash), and `text` and `sha256` as the space needs them.
        """
        contents = self._contents(catalog, self._profile, posts)
        done = (self.writes, "content", f"encoder = {quote(self._profile.ids[self._space])}")
        return to_do(catalog, contents, done, (self.name, as_of, None), posts is not None)

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds `bytes` where the space has images, and `seen` where it follows their vectors."""
        if "sha256" not in pending.column_names:
            return pending
        rows = add_bytes(catalog, pending, "sha256")
        return add_seen(catalog, rows, "sha256", self._profile, self._space)

    def worker(self, as_of: datetime) -> "EmbedWorker":
        """Makes the encoder."""
        return EmbedWorker(self._space, self._profile)

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes the vectors."""
        catalog.upsert(self.writes, done)


class EmbedWorker:
    """Embeds one batch of contents."""

    def __init__(self, space: str, profile: Profile) -> None:
        self._space = space
        self._profile = profile
        self._encoder = profile.ids[space]
        self._schema = embeddings(profile.dims[space])

    def __call__(self, batch: pa.Table) -> Results:
        if "seen" in batch.column_names:
            remember_seen(cast(Follower, self._profile.visual()), batch, "sha256")
        embedded = embed(
            self._profile, self._space, _listed(batch, "text"), _listed(batch, "bytes")
        )
        kept = batch.take(pa.array(embedded.places, pa.int64()))
        return Results(
            self._rows(kept, embedded.results),
            failed(batch, embedded.failures, self._encoder),
            Counter({TEXTS_CUT: embedded.cut}),
        )

    def _rows(self, kept: pa.Table, vectors: np.ndarray) -> pa.Table:
        dim = self._schema.field("vector").type.list_size
        flat = np.ascontiguousarray(vectors).ravel()
        columns = [
            kept["key"].combine_chunks().cast(pa.string()),
            pa.array([self._encoder] * len(kept), pa.string()),
            pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), dim),
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)


def _listed(batch: pa.Table, column: str) -> list | None:
    return batch[column].to_pylist() if column in batch.column_names else None


def _titles(catalog: Catalog, profile: Profile, posts: pa.Array | None) -> pa.Table:
    return _texts(_with_titles(catalog, selected(catalog, posts), posts)["title"])


def _extras(catalog: Catalog, profile: Profile, posts: pa.Array | None) -> pa.Table:
    kept = selected(catalog, posts)["post_id"]
    texts = [
        text
        for of_post in extras_of_posts(catalog, kept).values()
        for text in of_post.values()
        if text_key(text) is not None
    ]
    return _texts(pa.chunked_array([pa.array(texts, pa.string())]))


def _captions(catalog: Catalog, profile: Profile, posts: pa.Array | None) -> pa.Table:
    captioned = _with_captions(catalog, profile, posts)["text"]
    return _texts(captioned.filter(pc.not_equal(captioned, "")))


def _images(catalog: Catalog, profile: Profile, posts: pa.Array | None) -> pa.Table:
    images = images_of(catalog, posts)
    return images.append_column("sha256", images["key"])


def _titled_images(catalog: Catalog, profile: Profile, posts: pa.Array | None) -> pa.Table:
    both = _with_titles(catalog, selected_images(catalog, posts), posts)
    return _visuals(both["sha256"], both["title"])


def _captioned_images(catalog: Catalog, profile: Profile, posts: pa.Array | None) -> pa.Table:
    both = _with_captions(catalog, profile, posts)
    return _visuals(both["sha256"], both["text"])


def _with_titles(catalog: Catalog, rows: pa.Table, posts: pa.Array | None) -> pa.Table:
    """The rows of posts with their titles."""
    some = None if posts is None else rows["post_id"]
    titles = catalog.lookup("posts", "post_id", some, ["post_id", "title"])
    return titles.join(rows, "post_id", join_type="inner")


def _with_captions(catalog: Catalog, profile: Profile, posts: pa.Array | None) -> pa.Table:
    """The images of selected posts that the profile's captioner has captioned: sha256, text."""
    images = images_of(catalog, posts)["key"]
    where = f"captioner = {quote(profile.ids['captioner'])}"
    some = None if posts is None else images
    captions = catalog.lookup("captions", "sha256", some, ["sha256", "text"], where)
    return captions.filter(pc.is_in(captions["sha256"], value_set=images.combine_chunks()))


def _visuals(images: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.Table:
    pairs = zip(images.to_pylist(), texts.to_pylist(), strict=True)
    contents = {visual_content(image, text): (image, text) for image, text in pairs}
    return pa.table(
        {
            "key": pa.array(contents, pa.string()),
            "text": pa.array([text for _, text in contents.values()], pa.string()),
            "sha256": pa.array([image for image, _ in contents.values()], pa.string()),
        }
    )


def _texts(column: pa.ChunkedArray) -> pa.Table:
    texts = column.unique()
    keys = [text_content(text) for text in texts.to_pylist()]
    return pa.table({"key": pa.array(keys, pa.string()), "text": texts})


_Contents = Callable[[Catalog, Profile, pa.Array | None], pa.Table]
_CAPTIONED = ("selection", "post_images", "captions")
# Of each space the tables that its contents come from, and the contents.
_CONTENTS: dict[str, tuple[tuple[str, ...], _Contents]] = {
    "title": (("posts", "selection"), _titles),
    "caption": (_CAPTIONED, _captions),
    "image": (("selection", "post_images"), _images),
    "visual": (("posts", "selection", "post_images"), _titled_images),
    TEXT: (("posts", "selection", "post_images", "extra_features", "image_texts"), _extras),
}
