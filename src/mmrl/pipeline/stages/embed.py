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

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog, quote, without
from mmrl.catalog.columns import EMBEDDED, TEXT
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.tables import embeddings, embeddings_table
from mmrl.encoders.contents import embed
from mmrl.encoders.profiles import Profile
from mmrl.errors import InputError
from mmrl.pipeline.stage import Results
from mmrl.pipeline.stages.images import add_bytes, failed, selected, selected_images
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
        self._table = embeddings_table(space, profile.dims[space])

    def pending(self, catalog: Catalog, as_of: datetime) -> pa.Table:
        """Contents without a vector by this encoder.

        Returns:
            `key` (the content's hash), and `text` and `sha256` as the space needs them.
        """
        contents = _CONTENTS[self._space](catalog, self._profile)
        where = f"encoder = {quote(self._profile.ids[self._space])}"
        contents = without(
            contents, "key", catalog.read(self._table, ["content"], where)["content"]
        )
        return without(contents, "key", catalog.open_failures(self.name, as_of)).sort_by("key")

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds `bytes` where the space has images."""
        return (
            add_bytes(catalog, pending, "sha256") if "sha256" in pending.column_names else pending
        )

    def worker(self, as_of: datetime) -> "EmbedWorker":
        """Makes the encoder."""
        return EmbedWorker(self._space, self._profile)

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes the vectors."""
        catalog.upsert(self._table, done)


class EmbedWorker:
    """Embeds one batch of contents."""

    def __init__(self, space: str, profile: Profile) -> None:
        self._space = space
        self._profile = profile
        self._encoder = profile.ids[space]
        self._schema = embeddings(profile.dims[space])

    def __call__(self, batch: pa.Table) -> Results:
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


def _titles(catalog: Catalog, profile: Profile) -> pa.Table:
    kept = catalog.read("posts", ["post_id", "title"]).join(
        selected(catalog), "post_id", join_type="inner"
    )
    return _texts(kept["title"])


def _extras(catalog: Catalog, profile: Profile) -> pa.Table:
    kept = selected(catalog)["post_id"]
    texts = [
        text
        for of_post in extras_of_posts(catalog, kept).values()
        for text in of_post.values()
        if text_key(text) is not None
    ]
    return _texts(pa.chunked_array([pa.array(texts, pa.string())]))


def _captions(catalog: Catalog, profile: Profile) -> pa.Table:
    where = f"captioner = {quote(profile.ids['captioner'])} AND text != ''"
    captions = catalog.read("captions", ["sha256", "text"], where)
    images = pa.table({"sha256": selected_images(catalog)["sha256"].unique()})
    return _texts(images.join(captions, "sha256", join_type="inner")["text"])


def _images(catalog: Catalog, profile: Profile) -> pa.Table:
    images = selected_images(catalog)["sha256"].unique()
    return pa.table({"key": images, "sha256": images})


def _visuals(catalog: Catalog, profile: Profile) -> pa.Table:
    if profile.visual_text == "title":
        titles = catalog.read("posts", ["post_id", "title"]).rename_columns({"title": "text"})
        both = selected_images(catalog).join(titles, "post_id", join_type="inner")
    else:
        where = f"captioner = {quote(profile.ids['captioner'])}"
        captions = catalog.read("captions", ["sha256", "text"], where)
        images = pa.table({"sha256": selected_images(catalog)["sha256"].unique()})
        both = images.join(captions, "sha256", join_type="inner")
    pairs = zip(both["sha256"].to_pylist(), both["text"].to_pylist(), strict=True)
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


_CONTENTS: dict[str, Callable[[Catalog, Profile], pa.Table]] = {
    "title": _titles,
    "caption": _captions,
    "image": _images,
    "visual": _visuals,
    TEXT: _extras,
}
