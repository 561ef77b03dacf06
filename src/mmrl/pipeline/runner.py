"""Runs a stage over what is pending, chunk by chunk.

While the worker is busy with one chunk the next one is read, so that a model does not wait for the
disk. A chunk's rows are written before its failures, and both before the bar moves: a kill loses
at most the chunk in flight, and that chunk is pending again in the next run.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.pipeline.stage import Results, Stage, StageReport
from mmrl.runtime.meter import Meter
from mmrl.runtime.progress import Progress

_FEWEST = 8  # rows of a first chunk: a large model on a CPU takes seconds for each
_SHORT_SECONDS = 4.0
_LONG_SECONDS = 20.0


def run_stage(stage: Stage, catalog: Catalog, as_of: datetime, progress: Progress) -> StageReport:
    """Does all of a stage's pending work."""
    report = StageReport(stage.name)
    with Meter() as meter:
        pending = stage.pending(catalog, as_of)
        report.pending = pending.num_rows
        progress.start(stage.name, pending.num_rows)
        if pending.num_rows:
            _run_chunks(stage, catalog, as_of, pending, progress, report)
    report.seconds, report.peak_bytes = meter.seconds, meter.peak_bytes
    progress.finish(report.summary())
    return report


def _run_chunks(
    stage: Stage,
    catalog: Catalog,
    as_of: datetime,
    pending: pa.Table,
    progress: Progress,
    report: StageReport,
) -> None:
    failed_before = set(
        catalog.read("failures", ["key"], f"stage = '{stage.name}'")["key"].to_pylist()
    )
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
                batch = results.rest
                left = set() if batch is None else set(batch["key"].to_pylist())
                _commit(stage, catalog, as_of, keys - left, results, failed_before, report)
                progress.advance(len(keys - left))
                keys = left
            size.took(time.perf_counter() - started)
            chunk = following
            begun += chunk.num_rows


def _commit(
    stage: Stage,
    catalog: Catalog,
    as_of: datetime,
    tried: set[str],
    results: Results,
    failed_before: set[str],
    report: StageReport,
) -> None:
    """Writes the results of the keys that were tried, and counts them."""
    stage.commit(catalog, results.done, as_of)
    catalog.fail(stage.name, results.failed, as_of)
    failed = {failure.key for failure in results.failed}
    catalog.clear_failures(stage.name, failed_before.intersection(tried) - failed)
    report.done += len(tried) - len(failed)
    report.failed.update(str(failure.reason) for failure in results.failed)
    report.noted.update(+results.noted)


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
