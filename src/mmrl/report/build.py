"""Report of a model version: one HTML file that needs nothing else, and no network."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from markupsafe import Markup

from mmrl.catalog import Catalog
from mmrl.errors import Failure
from mmrl.learning.evaluation.metrics import METRICS, leading
from mmrl.learning.evaluation.prospective import Scores
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.registry.version import Version
from mmrl.report import plots_data, plots_models, plots_predictions
from mmrl.report.data import by_subreddit, complete, posts_a_day
from mmrl.report.examples import find_misses
from mmrl.report.funnel import left_out, steps
from mmrl.report.plots_predictions import reliability
from mmrl.report.sentences import differences, removals_in_short, tiles, training_facts, verdict
from mmrl.report.svg import Canvas
from mmrl.report.tables import ablation_rows, author_tables, made_of, metrics_rows
from mmrl.report.unit import Unit, unit_of
from mmrl.runtime.templates import templates_of
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of
from mmrl.times import iso

_QUANTILES = ("q10", "q50", "q90")
Place = TypeVar("Place", Path, Location)


def build_report(
    catalog: Catalog,
    evaluation: Evaluation,
    predictions: pa.Table,
    history: Sequence[Version],
    *,
    simulated: bool,
    as_of: datetime,
    out: Place,
    scores: Scores | None = None,
) -> Place:
    """Writes the report of one model version; the file appears whole or not at all.

    Args:
        evaluation: the version's.
        predictions: its test predictions, as `mmrl.learning.evaluation.evaluate` describes them.
        history: every model version, oldest first.
        simulated: the posts come from the sandbox; the report says so at its top.
        as_of: the time the report is written at.
        out: the file to write; its folder is made.
        scores: how published predictions came out.

    Returns:
        `out`.

    Raises:
        Failure: the file can't be written.
    """
    canvas = Canvas()
    page = _page(
        canvas,
        content={
            **_content(catalog, evaluation, predictions, history, canvas),
            "scores": scores,
            "scored_days": plots_models.scored_days(canvas, scores) if scores else None,
        },
        simulated=simulated,
        as_of=iso(as_of),
    )
    _write(Location.of(out), page)
    return out


def _content(
    catalog: Catalog,
    evaluation: Evaluation,
    predictions: pa.Table,
    history: Sequence[Version],
    canvas: Canvas,
) -> dict[str, Any]:
    unit = unit_of(evaluation.target)
    judged = complete(predictions, unit)
    subreddits, more_subreddits = by_subreddit(judged, unit)
    days = posts_a_day(catalog, evaluation.splits)
    removals = evaluation.removals
    splits = evaluation.splits
    parts = list(splits.parts.items())
    earlier = [("earlier test", part) for part in splits.earlier_tests]
    return {
        "evaluation": evaluation,
        "unit": unit,
        "verdict": verdict(evaluation),
        "tiles": tiles(evaluation.models),
        "metrics": metrics_rows(evaluation.models),
        "differences": differences(evaluation),
        "authors": author_tables(evaluation),
        "versions": history,
        "version": _version(evaluation, history),
        "misses": find_misses(catalog, judged, unit),
        "left_out": left_out(catalog),
        "steps": steps(catalog, evaluation.splits),
        "parts": [*parts, *earlier],
        "timeline": (plots_data.posts_over_time(canvas, days, parts, earlier) if days else None),
        "subreddits": subreddits,
        "more_subreddits": more_subreddits,
        "made_of": made_of(evaluation),
        "training": training_facts(evaluation.training),
        "removals": None if removals is None else removals_in_short(removals),
        "reliability": None if removals is None else reliability(canvas, removals.reliability),
        **_model_plots(canvas, evaluation, history),
        **_prediction_plots(canvas, evaluation, judged, unit),
    }


def _model_plots(
    canvas: Canvas, evaluation: Evaluation, history: Sequence[Version]
) -> dict[str, Any]:
    """Plots of metrics: against baselines, over versions, and without parts of the inputs."""
    ablated = ablation_rows(evaluation)
    over_time = [metric for metric in METRICS.values() if metric.leads_by or metric.over_time]
    return {
        "comparisons": _drawn(
            plots_models.comparison(canvas, evaluation.models, metric) for metric in leading()
        ),
        "over_time": _drawn(
            plots_models.over_time(canvas, history, metric) for metric in over_time
        ),
        "ablation": ablated,
        "ablation_plot": (
            plots_models.ablation(canvas, ablated.parts, ablated.metrics[0]) if ablated else None
        ),
    }


def _prediction_plots(
    canvas: Canvas, evaluation: Evaluation, judged: pa.Table, unit: Unit
) -> dict[str, Any]:
    """Plots of single predictions; None where no post has both a true and a predicted value."""
    calibrated = evaluation.calibration
    plots: dict[str, Any] = {
        "calibration": plots_predictions.calibration(canvas, calibrated) if calibrated else None,
        "predicted": None,
        "coverage": None,
    }
    if judged.num_rows:
        columns = {"true": unit.truth, **{name: name for name in _QUANTILES}}
        values = {name: judged[column].to_numpy() for name, column in columns.items()}
        plots["predicted"] = plots_predictions.predicted_against_true(canvas, values, unit)
        plots["coverage"] = plots_predictions.coverage_by_level(canvas, values, unit)
    return plots


def _version(evaluation: Evaluation, history: Sequence[Version]) -> str | None:
    """The version of the history that the evaluation is of: the one trained at its time."""
    as_of = iso(evaluation.as_of)
    versions = [version.version for version in history if version.trained_at == as_of]
    return versions[0] if len(versions) == 1 else None


def _drawn(figures: Any) -> list[Markup]:
    return [figure for figure in figures if figure is not None]


def _page(canvas: Canvas, **context: Any) -> str:
    """The HTML; its one stylesheet is named by its hash, and nothing else may be loaded or run."""
    environment = templates_of("mmrl.report")
    environment.filters["iso"] = iso
    css = (files("mmrl.report") / "templates" / "report.css").read_text() + canvas.css()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        **context,
        css=Markup(css),
        csp=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
    )


def _write(out: Location, page: str) -> None:
    try:
        storage_of(out.parent).write(out.name, page.encode())
    except OSError as error:
        raise Failure(
            f"The report can't be written to {out} ({error.strerror or error}): free some space "
            "or give another place with --out."
        ) from error
