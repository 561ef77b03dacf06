"""The `measure-images` stage: statistics of the selected posts' images, once an image."""

from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import COLOURS
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.images.decode import decode_ahead
from mmrl.images.image import UnreadableError
from mmrl.images.measures.quality import VERSION, Measures, measure_file
from mmrl.pipeline.stage import Results
from mmrl.pipeline.stages.images import add_bytes, failed, images_of, to_do
from mmrl.samples import measures_columns

TABLE = "image_statistics"
MEASURED = f"version = {quote(VERSION)} AND {COLOURS} IS NOT NULL"  # of its rows, those that count
_BATCH = 16  # images decoded and measured at a time; three batches ahead


class MeasureImagesStage:
    """Reads the bytes of images, writes `image_statistics`; see `mmrl.images.measures.quality`."""

    name = "measure-images"
    chunk = 512
    rules = MEASURED
    reads = ("selection", "post_images")
    writes = TABLE

    def __init__(self, settings: Settings) -> None:
        """`settings` are as every stage's: how many pixels an image may have is set with them."""

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """Images without measures of this version: `key` is the image's sha256."""
        done = (TABLE, "sha256", MEASURED)
        failures = (self.name, as_of, None)
        return to_do(catalog, images_of(catalog, posts), done, failures, posts is not None)

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
        places: list[int] = []
        measures: list[Measures] = []
        files = [images[place] for place in there]
        for measured in decode_ahead(files, measure_file, _BATCH, errors):
            for number, values in measured:
                places.append(there[number])
                measures.append(values)
        failures = {there[number]: error for number, error in errors.items()}
        gone = set(range(len(images))).difference(there)
        failures |= {place: UnreadableError("its bytes are not in the catalog") for place in gone}
        return Results(_rows(batch["key"], places, measures), failed(batch, failures))


def _rows(keys: pa.ChunkedArray, places: list[int], measures: list[Measures]) -> pa.Table:
    return pa.table(
        {
            "sha256": keys.take(pa.array(places, pa.int64())),
            "version": pa.repeat(VERSION, len(places)),
            **measures_columns(measures),
        }
    ).cast(SCHEMAS[TABLE])
