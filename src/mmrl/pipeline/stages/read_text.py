"""The `read-text` stage: the text that the selected posts' images show, once an image."""

from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.encoders.image_text import READER, read_texts
from mmrl.pipeline.stage import Results
from mmrl.pipeline.stages.images import add_bytes, failed, images_of, to_do

TABLE = "image_texts"


class ReadTextStage:
    """Reads the bytes of images, writes `image_texts`; the text is "" where an image shows none.

    Nothing is pending unless the setting `read_text` is on.
    """

    name = "read-text"
    chunk = 256
    reads = ("selection", "post_images")
    writes = TABLE

    def __init__(self, settings: Settings) -> None:
        self._on = settings.read_text
        self.rules = READER if self._on else "off"

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """Images whose text was not read: `key` is the image's sha256."""
        if not self._on:
            return pa.table({"key": pa.array([], pa.string())})
        done = (TABLE, "sha256", f"reader = {quote(READER)}")
        failures = (self.name, as_of, None)
        return to_do(catalog, images_of(catalog, posts), done, failures, posts is not None)

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds `bytes`."""
        return add_bytes(catalog, pending, "key")

    def worker(self, as_of: datetime) -> "ReadTextWorker":
        return ReadTextWorker()

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes the texts."""
        catalog.upsert(TABLE, done)


class ReadTextWorker:
    """Reads one batch of (key, bytes)."""

    def __call__(self, batch: pa.Table) -> Results:
        read = read_texts(batch["bytes"].to_pylist())
        kept = batch["key"].take(pa.array(read.places, pa.int64()))
        rows = pa.table(
            {"sha256": kept, "reader": pa.repeat(READER, len(kept)), "text": read.results}
        )
        return Results(rows.cast(SCHEMAS[TABLE]), failed(batch, read.failures))
