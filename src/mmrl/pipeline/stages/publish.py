"""Makes a new model known: its report, and the champion's predictions for posts not yet matured."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog, quote, without
from mmrl.config import Settings
from mmrl.pipeline.stage import StageReport, WholeRun
from mmrl.report.write import report_name, write_report
from mmrl.runtime.meter import Meter
from mmrl.runtime.progress import Progress
from mmrl.serving.live import live_posts, predict_live
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of
from mmrl.times import parse_time

OTHER_ENCODERS = "live posts wait for a model of the new profile"
LEARNED_LATER = "posts of a day before the champion's, which may have learned from them"


@dataclass
class PublishReport:
    """Results of publishing.

    Attributes:
        stage: as of any other stage; its items are live posts and, where one was due, a report.
        report: the newest version's report, or None where no model was trained yet.
    """

    stage: StageReport
    report: Location | None = None


def publish_stage(run: WholeRun) -> PublishReport:
    """Publishes as a stage of a run; see `publish`."""
    return publish(run.catalog, run.settings, run.as_of, run.progress)


def publish(
    catalog: Catalog, settings: Settings, as_of: datetime, progress: Progress
) -> PublishReport:
    """Writes the newest version's report and lets the champion predict the live posts."""
    from mmrl.learning.registry.kept import versions_kept

    report = StageReport("publish")
    place: Location | None = None
    with Meter() as meter:
        versions = versions_kept(catalog.home)
        if versions:
            newest = versions[-1]
            live = live_posts(catalog, settings, as_of)
            name = report_name(newest)
            place = Location.of(catalog.home).join(name)
            due = not storage_of(catalog.home).exists(name)
            if due or live.num_rows:
                _publish(catalog, settings, as_of, progress, live, newest, due, report)
    report.seconds, report.peak_bytes = meter.seconds, meter.peak_bytes
    if not report.pending:
        progress.start("publish", 0)
    progress.finish(report.summary())
    return PublishReport(report, place)


def _publish(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    progress: Progress,
    live: pa.Table,
    newest: str,
    due: bool,
    report: StageReport,
) -> None:
    from mmrl.learning.registry.registry import Registry

    champion = next((known for known in Registry(catalog.home).list() if known.champion), None)
    if champion is not None:
        where = f"model_version = {quote(champion.version)}"
        predicted = catalog.lookup("predictions", "post_id", live["post_id"], ["post_id"], where)
        live = without(live, "post_id", predicted["post_id"])
    report.pending = live.num_rows * (champion is not None) + due
    progress.start("publish", report.pending)
    if champion is not None and live.num_rows:
        if parse_time(champion.trained_at) > as_of:
            report.noted[LEARNED_LATER] += live.num_rows
        elif predict_live(catalog, settings, as_of, live, champion.version):
            report.done += live.num_rows
        else:
            report.noted[OTHER_ENCODERS] += live.num_rows
        progress.advance(live.num_rows)
    if due:
        write_report(catalog, newest, as_of)
        report.done += 1
        progress.advance(1)
