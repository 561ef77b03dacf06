"""What is stored of posts beside them: vectors, captions, statistics, extra features."""

from typing import Any

import numpy as np
import pyarrow as pa

from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.catalog.columns import COLOUR_BINS, COLOURS, IMAGE_STATISTICS
from mmrl.catalog.tables import CAPTIONS, SCHEMAS, embeddings
from mmrl.config import Settings
from mmrl.sources.extras import extra_rows
from tests.support.samples_catalog import at

END = at(10_000)


def load(catalog: Catalog, hours: float = 10_000, **options: Any) -> list[dict[str, Any]]:
    """Samples as of so many hours after the start, as rows."""
    return samples.load(catalog, Settings(), at(hours), **options).to_pylist()


def keep_vectors(
    catalog: Catalog, space: str, encoder: str, vectors: dict[str, list[float]]
) -> None:
    """Vectors by content."""
    values = np.array(list(vectors.values()), np.float32)
    rows = {
        "content": list(vectors),
        "encoder": [encoder] * len(vectors),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1]),
    }
    schema = embeddings(values.shape[1])
    catalog.insert(f"embeddings_{space}_{values.shape[1]}", pa.table(rows).cast(schema))


def keep_captions(catalog: Catalog, captioner: str, texts: dict[str, str]) -> None:
    """Captions by image."""
    rows = [{"sha256": image, "captioner": captioner, "text": t} for image, t in texts.items()]
    catalog.insert("captions", pa.Table.from_pylist(rows, CAPTIONS))


def keep_extras(catalog: Catalog, extras: dict[str, dict[str, str]]) -> None:
    """Extra features by post and name."""
    rows = pa.Table.from_pylist(extra_rows(extras), SCHEMAS["extra_features"])
    catalog.insert("extra_features", rows)


def keep_statistics(catalog: Catalog, version: str, measured: dict[str, float]) -> None:
    """Statistics of images, the first one as given and the others each one more."""
    rows = [
        {"sha256": image, "version": version, COLOURS: [first] * COLOUR_BINS}
        | {name: first + number for number, name in enumerate(IMAGE_STATISTICS)}
        for image, first in measured.items()
    ]
    schema = SCHEMAS["image_statistics"]
    catalog.upsert("image_statistics", pa.Table.from_pylist(rows, schema=schema))
