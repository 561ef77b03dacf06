"""A home's state as Prometheus text: for a scrape, or for node_exporter's textfile collector."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from mmrl.catalog import Catalog
from mmrl.learning.registry.last_training import last_training
from mmrl.learning.registry.registry import Registry
from mmrl.pipeline.last_run import last_run
from mmrl.status import Survey
from mmrl.times import parse_time

if TYPE_CHECKING:
    from mmrl.status import Collecting


class _Gauges:
    """Gauges by name, made when they are first set."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Gauge] = {}

    def set(
        self, name: str, about: str, value: float, labels: Mapping[str, str] | None = None
    ) -> None:
        labels = labels or {}
        if name not in self._made:
            self._made[name] = Gauge(f"mmrl_{name}", about, list(labels), registry=self.registry)
        gauge = self._made[name]
        (gauge.labels(**labels) if labels else gauge).set(value)


def prometheus_text(catalog: Catalog, survey: Survey, as_of: datetime) -> str:
    """The state of stages, collectors and models, each as a gauge.

    Args:
        survey: of the home at `as_of`, from which ages are counted.
    """
    gauges = _Gauges()
    _stages(gauges, survey)
    for live in survey.live:
        _collector(gauges, live, as_of)
    _last_run(gauges, catalog)
    _models(gauges, catalog, as_of)
    return generate_latest(gauges.registry).decode()


def _stages(gauges: _Gauges, survey: Survey) -> None:
    for row in survey.stages:
        stage = {"stage": row.stage}
        if row.done is not None:
            gauges.set("stage_done", "What a stage has made, in its unit.", row.done, stage)
        if row.pending is not None:
            gauges.set("stage_pending", "What its next run would do.", row.pending, stage)
        for reason, count in row.left_out:
            about = "Decided not to be worked on, by reason."
            gauges.set("stage_left_out", about, count, {**stage, "reason": str(reason)})
        for reason, count in row.failed:
            about = "Tried and failed, by reason."
            gauges.set("stage_failed", about, count, {**stage, "reason": str(reason)})
    for why, count in survey.erased.items():
        gauges.set("posts_erased", "Posts that purges erased.", count, {"reason": why})
    gauges.set("posts_later", "Posts that came later than the moment asked for.", survey.later)


def _collector(gauges: _Gauges, live: "Collecting", as_of: datetime) -> None:
    source = {"source": live.traits.label}
    gauges.set("gaps_open", "Gaps that listings left.", len(live.gaps), source)
    about = "Gaps that can't be asked for, as ids had no order."
    gauges.set("gaps_unlisted", about, len(live.unlisted), source)
    unit = "seconds" if live.traits.timed else "ids"
    about = "Places of gaps that are still to be asked for."
    gauges.set("gaps_left", about, live.left, {**source, "unit": unit})
    status = live.collector
    if status is None:
        return
    gauges.set("collector_up", "1 while a collector runs.", status.state == "running", source)
    gauges.set("collector_posts_kept", "Posts kept since its start.", status.kept, source)
    due = status.observations_due
    gauges.set("collector_observations_due", "Observations that are due.", due, source)
    late = status.observations_late
    gauges.set("collector_observations_late", "Observations that are late.", late, source)
    gauges.set("requests_used", "Requests in the last minute.", status.used, source)
    if status.limit is not None:
        gauges.set("requests_limit", "Requests allowed in a minute.", status.limit, source)
    if status.polled_at is not None:
        lag = (as_of - status.polled_at).total_seconds()
        gauges.set("collector_lag_seconds", "Time since its last poll.", lag, source)


def _last_run(gauges: _Gauges, catalog: Catalog) -> None:
    run = last_run(catalog.home)
    if run is None:
        return
    at = run.ended_at.timestamp()
    gauges.set("last_run_timestamp_seconds", "When the last run of stages ended.", at)
    gauges.set("last_run_ok", "1 where it came to its end, 0 where an error ended it.", not run.why)
    gauges.set("last_run_seconds", "How long it took.", run.seconds)
    for outcome, rows in (("done", run.done), ("failed", run.failed)):
        gauges.set("last_run_rows", "Rows of its stages.", rows, {"outcome": outcome})


def _models(gauges: _Gauges, catalog: Catalog, as_of: datetime) -> None:
    last = last_training(catalog.home)
    if last is not None:
        at = parse_time(last["as_of"]).timestamp()
        gauges.set("last_training_timestamp_seconds", "The last training's moment.", at)
    for version in Registry(catalog.home).list():
        if not version.champion:
            continue
        age = (as_of - parse_time(version.trained_at)).total_seconds()
        gauges.set("champion_version", "The champion's number.", float(version.version))
        gauges.set("champion_age_seconds", "Time since it was trained.", age)
        for name, measure in version.metrics.items():
            if measure is not None:
                about = "Its metrics on its test posts."
                gauges.set("champion_metric", about, measure.value, {"metric": name})
