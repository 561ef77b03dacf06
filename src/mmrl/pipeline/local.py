"""A stage's work in this process.

While the worker is busy with one chunk the next one is read, so that a model does not wait for the
disk.
"""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.pipeline.stage import Stage, Tried

_FEWEST = 8  # rows of a first chunk: a large model on a CPU takes seconds for each
_SHORT_SECONDS = 4.0
_LONG_SECONDS = 20.0


def work_here(
    stage: Stage, catalog: Catalog, as_of: datetime, pending: pa.Table
) -> Generator[Tried, None, None]:
    """An `Executor`: one worker, one chunk after the other."""
    size = ChunkSize(stage.chunk)
    chunk = pending.slice(0, size.rows)
    begun = chunk.num_rows
    with ThreadPoolExecutor(1, thread_name_prefix="load") as ahead:
        loading = ahead.submit(stage.load, catalog, chunk)
        worker = stage.worker(as_of)
        while chunk.num_rows:
            batch = loading.result()
            following = pending.slice(begun, size.rows)
            if following.num_rows:
                loading = ahead.submit(stage.load, catalog, following)
            started = time.perf_counter()
            keys = set(chunk["key"].to_pylist())
            while batch is not None:
                results = worker(batch)
                batch, left = results.rest, results.left
                yield Tried(keys - left, results)
                keys = left
            size.took(time.perf_counter() - started)
            chunk = following
            begun += chunk.num_rows


class ChunkSize:
    """The number of rows of the next chunk: as many as a few seconds do, for slow models and fast.

    A kill loses a chunk and the bar moves once a chunk, so a chunk should be short; each chunk
    costs a commit, and filling and draining of the model's queue, so it should not be too short.

    Attributes:
        rows: of the next chunk; starts at 1/128 of the most, grows fourfold or halves.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._first = True
        self.rows = min(most, max(_FEWEST, most // 128))

    def took(self, seconds: float) -> None:
        """Tells how long the last chunk took, its commit included."""
        if seconds < _SHORT_SECONDS:
            self.rows = min(self.rows * 4, self._most)
        elif seconds > _LONG_SECONDS and not self._first:  # the first one loads the model, too
            self.rows = max(self.rows // 2, 1)
        self._first = False
