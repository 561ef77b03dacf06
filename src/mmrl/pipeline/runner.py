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
from mmrl.pipeline.new_work import NewWork
from mmrl.pipeline.stage import Executor, Stage, StageReport, Tried
from mmrl.runtime.meter import Meter
from mmrl.runtime.progress import Progress


def run_stage(
    stage: Stage,
    catalog: Catalog,
    as_of: datetime,
    progress: Progress,
    executor: Executor = work_here,
    check: bool = False,
) -> StageReport:
    """Does all of a stage's pending work.

    Args:
        check: look at all posts, whatever was written of them, and say what that found more.
    """
    report = StageReport(stage.name)
    with Meter() as meter:
        work = NewWork(stage, catalog, as_of, check)
        report.pending, report.missed = work.pending.num_rows, work.missed
        progress.start(stage.name, report.pending)
        if report.pending:
            work.begin()
            _run_chunks(stage, catalog, as_of, work.pending, progress, report, executor)
        if report.done + report.failed.total() == report.pending:
            work.end()
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
    with closing(executor(stage, catalog, as_of, pending)) as chunks:
        for tried in chunks:
            _commit(stage, catalog, as_of, tried, report)
            progress.advance(len(tried.keys))


def _commit(
    stage: Stage,
    catalog: Catalog,
    as_of: datetime,
    tried: Tried,
    report: StageReport,
) -> None:
    """Writes the results of the keys that were tried, and counts them."""
    results = tried.results
    if results.done.num_rows:
        stage.commit(catalog, results.done, as_of)
    catalog.fail(stage.name, results.failed, as_of)
    failed = {failure.key for failure in results.failed}
    catalog.clear_failures(stage.name, tried.keys - failed)
    report.done += results.done.num_rows
    report.failed.update(str(failure.reason) for failure in results.failed)
    report.noted.update(+results.noted)
