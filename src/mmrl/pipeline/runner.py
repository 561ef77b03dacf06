"""Runs a stage over what is pending, chunk by chunk.

An executor does the chunks, in this process or on a cluster; here they are committed, in order. A
chunk's rows are written before its failures, and both before the bar moves: a kill loses at most
the chunks in flight, and those are pending again in the next run.
"""

from contextlib import closing
from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.pipeline.local import work_here
from mmrl.pipeline.stage import Executor, Stage, StageReport, Tried
from mmrl.runtime.meter import Meter
from mmrl.runtime.progress import Progress


def run_stage(
    stage: Stage,
    catalog: Catalog,
    as_of: datetime,
    progress: Progress,
    executor: Executor = work_here,
) -> StageReport:
    """Does all of a stage's pending work."""
    report = StageReport(stage.name)
    with Meter() as meter:
        pending = stage.pending(catalog, as_of)
        report.pending = pending.num_rows
        progress.start(stage.name, pending.num_rows)
        if pending.num_rows:
            _run_chunks(stage, catalog, as_of, pending, progress, report, executor)
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
    executor: Executor,
) -> None:
    failed_before = set(
        catalog.read("failures", ["key"], f"stage = '{stage.name}'")["key"].to_pylist()
    )
    with closing(executor(stage, catalog, as_of, pending)) as chunks:
        for tried in chunks:
            _commit(stage, catalog, as_of, tried, failed_before, report)
            progress.advance(len(tried.keys))


def _commit(
    stage: Stage,
    catalog: Catalog,
    as_of: datetime,
    tried: Tried,
    failed_before: set[str],
    report: StageReport,
) -> None:
    """Writes the results of the keys that were tried, and counts them."""
    results = tried.results
    stage.commit(catalog, results.done, as_of)
    catalog.fail(stage.name, results.failed, as_of)
    failed = {failure.key for failure in results.failed}
    catalog.clear_failures(stage.name, failed_before.intersection(tried.keys) - failed)
    report.done += len(tried.keys) - len(failed)
    report.failed.update(str(failure.reason) for failure in results.failed)
    report.noted.update(+results.noted)
