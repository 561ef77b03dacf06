"""Makes a new model known: its report, and the champion's predictions for posts not yet matured."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment, quote, without
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.errors import InputError
from mmrl.pipeline import Progress, StageReport
from mmrl.pipeline.stages.train import samples_with_vectors
from mmrl.runtime.meter import Meter
from mmrl.sources.post import SIMULATED
from mmrl.times import parse_time

OTHER_ENCODERS = "live posts wait for a model of the new profile"
LEARNED_LATER = "posts of a day before the champion's, which may have learned from them"


@dataclass
class PublishReport:
    """What publishing did.

    Attributes:
        stage: as of any other stage; its items are live posts and, where one was due, a report.
        report: the newest version's report, or None where no model was trained yet.
    """

    stage: StageReport
    report: Path | None = None


def publish(
    catalog: Catalog, settings: Settings, as_of: datetime, progress: Progress
) -> PublishReport:
    """Writes the newest version's report and lets the champion predict the live posts."""
    from mmrl.learning.registry.registry import last_training

    report = StageReport("publish")
    path: Path | None = None
    with Meter() as meter:
        last = last_training(catalog.home)
        if last is not None:
            live = _live(catalog, settings, as_of)
            path = report_path(catalog, last["version"])
            due = not path.is_file()
            if due or live.num_rows:
                _publish(catalog, settings, as_of, progress, live, last["version"], due, report)
    report.seconds, report.peak_bytes = meter.seconds, meter.peak_bytes
    if not report.pending:
        progress.start("publish", 0)
    progress.finish(report.summary())
    return PublishReport(report, path)


def report_path(catalog: Catalog, version: str) -> Path:
    """Where a version's report lies."""
    if "://" in catalog.home:
        raise InputError(
            f"The home {catalog.home} is in an object store: say where the report is to be "
            "written with `mmrl report --out FILE`."
        )
    return Path(catalog.home) / "reports" / f"{version}.html"


def write_report(catalog: Catalog, version: str, as_of: datetime, out: Path | None = None) -> Path:
    """Writes a version's report, into the home unless told where.

    Raises:
        NotFoundError: the version does not exist.
    """
    from mmrl.learning.registry.registry import Registry
    from mmrl.report.build import build_report

    registry = Registry(catalog.home)
    shown = registry.show(version)
    return build_report(
        catalog,
        shown.evaluation,
        registry.test_predictions(version),
        [known.as_dict() for known in registry.list()],
        simulated=catalog.count("posts", SIMULATED) > 0,
        as_of=as_of,
        out=out or report_path(catalog, shown.version),
    )


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
        predicted = catalog.read("predictions", ["post_id"], where)
        live = without(live, "post_id", predicted["post_id"].to_pylist())
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


def predict_live(
    catalog: Catalog, settings: Settings, as_of: datetime, live: pa.Table, version: str
) -> bool:
    """Records what a version expects of posts that have not matured.

    Args:
        live: their post_id and created_at.

    Returns:
        False where it can't: it learned from the vectors of other encoders than the profile's.
    """
    from mmrl.learning.registry.registry import Registry

    profile = load_profile(settings)
    model = Registry(catalog.home).load(version).model
    if model.differing(profile.ids):
        return False
    samples = samples_with_vectors(catalog, settings, as_of, profile)
    samples = samples.filter(
        pc.is_in(samples["post_id"], value_set=live["post_id"].combine_chunks())
    )
    quantiles = model.predict(samples, profile.ids)
    age = pc.subtract(pa.scalar(as_of, samples["created_at"].type), samples["created_at"])
    rows = pa.table(
        {
            "post_id": samples["post_id"],
            "model_version": pa.array([version] * samples.num_rows, pa.string()),
            "predicted_at": pa.array([as_of] * samples.num_rows),
            "age_hours": pc.divide(pc.cast(pc.cast(age, pa.int64()), pa.float64()), 3.6e9),
            "q10": quantiles.q10,
            "q50": quantiles.q50,
            "q90": quantiles.q90,
            "unit": pa.array([quantiles.unit] * samples.num_rows, pa.string()),
        }
    )
    catalog.insert("predictions", rows.cast(SCHEMAS["predictions"]))
    return True


def _live(catalog: Catalog, settings: Settings, as_of: datetime) -> pa.Table:
    """Posts with samples that can't have matured by `as_of`."""
    youngest = as_of - timedelta(hours=settings.label.mature_after_hours)
    return catalog.read(
        "samples",
        ["post_id", "created_at"],
        f"created_at > {moment(youngest)} AND first_seen_at <= {moment(as_of)}",
    )
