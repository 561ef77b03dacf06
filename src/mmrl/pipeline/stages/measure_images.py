"""The `measure-images` stage: statistics of the selected posts' images, once an image."""

from datetime import datetime

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import IMAGE_STATISTICS
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.images.decode import decode_ahead
from mmrl.images.image import UnreadableError
from mmrl.images.quality import VERSION, measure_file
from mmrl.pipeline.stage import Results
from mmrl.pipeline.stages.images import add_bytes, failed, pending_images

TABLE = "image_statistics"
_BATCH = 16  # images decoded and measured at a time; three batches ahead


class MeasureImagesStage:
    """Reads the bytes of images, writes `image_statistics`; see `mmrl.images.quality`."""

    name = "measure-images"
    chunk = 512

    def __init__(self, settings: Settings) -> None:
        """`settings` are as every stage's: how many pixels an image may have is set with them."""

    def pending(self, catalog: Catalog, as_of: datetime) -> pa.Table:
        """Images without statistics of this version: `key` is the image's sha256."""
        failures = catalog.open_failures(self.name, as_of)
        return pending_images(catalog, TABLE, f"version = {quote(VERSION)}", failures)

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds `bytes`."""
        return add_bytes(catalog, pending, "key")

    def worker(self, as_of: datetime) -> "MeasureImagesWorker":
        return MeasureImagesWorker()

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes the statistics, in the place of those of an earlier version."""
        catalog.upsert(TABLE, done)


class MeasureImagesWorker:
    """Measures one batch of (key, bytes)."""

    def __call__(self, batch: pa.Table) -> Results:
        images = batch["bytes"].to_pylist()
        there = [place for place, data in enumerate(images) if data is not None]
        errors: dict[int, UnreadableError] = {}
        places, statistics = [], []
        files = [images[place] for place in there]
        for measured in decode_ahead(files, measure_file, _BATCH, errors):
            for number, values in measured:
                places.append(there[number])
                statistics.append(values)
        failures = {there[number]: error for number, error in errors.items()}
        gone = set(range(len(images))).difference(there)
        failures |= {place: UnreadableError("its bytes are not in the catalog") for place in gone}
        return Results(_rows(batch["key"], places, statistics), failed(batch, failures))


def _rows(keys: pa.ChunkedArray, places: list[int], statistics: list[np.ndarray]) -> pa.Table:
    columns = np.array(statistics, np.float32).reshape(-1, len(IMAGE_STATISTICS)).T
    kept = keys.take(pa.array(places, pa.int64()))
    return pa.table(
        {
            "sha256": kept,
            "version": pa.repeat(VERSION, len(places)),
            **dict(zip(IMAGE_STATISTICS, map(pa.array, columns), strict=True)),
        }
    ).cast(SCHEMAS[TABLE])
