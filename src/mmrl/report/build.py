"""Puts a model's report together: one HTML file that needs nothing else, and no network."""

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmrl.catalog import Catalog
from mmrl.errors import Failure
from mmrl.report import plots_data, plots_models, plots_predictions
from mmrl.report.data import by_subreddit, posts_a_day, read_splits
from mmrl.report.examples import find_misses
from mmrl.report.funnel import left_out, steps
from mmrl.report.metric_names import LEADING, METRICS, SPEARMAN, measure
from mmrl.report.sentences import differences, tiles, training_facts, verdict
from mmrl.report.svg import Canvas
from mmrl.report.tables import ablation_rows, author_tables, made_of, metrics_rows
from mmrl.report.unit import Unit, unit_of
from mmrl.times import iso, parse_time

_QUANTILES = ("q10", "q50", "q90")


def build_report(
    catalog: Catalog,
    evaluation: Mapping[str, Any],
    predictions: pa.Table,
    history: Sequence[Mapping[str, Any]],
    *,
    simulated: bool,
    as_of: datetime,
    out: Path,
) -> Path:
    """Writes the report of one model version; the file appears whole or not at all.

    Args:
        evaluation: as described in `mmrl.learning.evaluation.evaluate`.
        predictions: its test predictions, described there too.
        history: every model version, oldest first: `{version, trained_at, champion, metrics}` and,
            where one is known, `noise_ceiling`; metrics as in an evaluation or as bare numbers.
        simulated: the posts come from the sandbox; the report says so at its top.
        as_of: the time the report is written at.
        out: the file to write; its folder is made.

    Returns:
        `out`.

    Raises:
        Failure: the file can't be written.
    """
    canvas = Canvas()
    page = _page(
        canvas,
        content=_content(catalog, evaluation, predictions, history, canvas),
        simulated=simulated,
        as_of=iso(as_of),
    )
    _write(out, page)
    return out


def _content(
    catalog: Catalog,
    evaluation: Mapping[str, Any],
    predictions: pa.Table,
    history: Sequence[Mapping[str, Any]],
    canvas: Canvas,
) -> dict[str, Any]:
    models = evaluation["models"]
    splits = read_splits(evaluation)
    days = posts_a_day(catalog, splits)
    spans = [(s.name, s.start, s.end) for s in splits if s.start is not None and s.end is not None]
    runs = [_run(run) for run in history]
    unit = unit_of(evaluation["target"])
    judged = _complete(predictions, unit)
    columns = {"true": unit.truth, **{name: name for name in _QUANTILES}}
    numbers = {name: judged[column].to_numpy() for name, column in columns.items()}
    subreddits, more_subreddits = by_subreddit(judged, unit)
    lead = [METRICS[name] for name in LEADING]
    ablated = ablation_rows(evaluation)
    return {
        "evaluation": evaluation,
        "unit": unit,
        "complete": judged.num_rows,
        "verdict": verdict(evaluation),
        "tiles": tiles(models),
        "metrics": metrics_rows(models),
        "comparisons": _drawn(plots_models.comparison(canvas, models, metric) for metric in lead),
        "differences": differences(evaluation),
        "authors": author_tables(evaluation),
        "runs": runs,
        "version": _version(evaluation, history),
        "over_time": _drawn(
            plots_models.over_time(canvas, runs, metric) for metric in (*lead, METRICS[SPEARMAN])
        ),
        "predicted": (
            plots_predictions.predicted_against_true(canvas, numbers, unit)
            if judged.num_rows
            else None
        ),
        "calibration": (
            plots_predictions.calibration(canvas, evaluation["calibration"])
            if evaluation["calibration"]
            else None
        ),
        "coverage": (
            plots_predictions.coverage_by_level(canvas, numbers, unit) if judged.num_rows else None
        ),
        "ablation": ablated,
        "ablation_plot": (
            plots_models.ablation(canvas, ablated.parts, ablated.metrics[0]) if ablated else None
        ),
        "misses": find_misses(catalog, judged, unit),
        "left_out": left_out(catalog),
        "steps": steps(catalog, evaluation),
        "splits": splits,
        "timeline": plots_data.posts_over_time(canvas, days, spans) if days else None,
        "subreddits": subreddits,
        "more_subreddits": more_subreddits,
        "test_posts": evaluation["splits"]["test"]["posts"],
        "made_of": made_of(evaluation),
        "training": training_facts(evaluation),
    }


def _complete(predictions: pa.Table, unit: Unit) -> pa.Table:
    """The test posts with a true and a predicted value, these as float64."""
    for name in (unit.truth, *_QUANTILES):
        values = predictions[name].cast(pa.float64())
        place = predictions.schema.get_field_index(name)
        known = pc.fill_null(pc.is_finite(values), False)
        predictions = predictions.set_column(place, name, values).filter(known)
    return predictions


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    """One version of the history, its metrics read."""
    when = run.get("trained_at") or run.get("as_of")
    date = "" if when is None else iso(parse_time(when) if isinstance(when, str) else when)[:10]
    return {
        "version": str(run["version"]),
        "date": date,
        "champion": bool(run["champion"]),
        "measures": {name: measure(given) for name, given in run["metrics"].items()},
        "ceiling": {
            name: measure(given) for name, given in (run.get("noise_ceiling") or {}).items()
        },
    }


def _version(evaluation: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str | None:
    """Which version of the history the evaluation is of: the one trained at its time."""
    found = [
        str(run["version"])
        for run in history
        if (run.get("trained_at") or run.get("as_of")) == evaluation["as_of"]
    ]
    return found[0] if len(found) == 1 else None


def _drawn(figures: Any) -> list[Markup]:
    return [figure for figure in figures if figure is not None]


def _page(canvas: Canvas, **context: Any) -> str:
    """The HTML; its one stylesheet is named by its hash, and nothing else may be loaded or run."""
    environment = Environment(
        loader=PackageLoader("mmrl.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = (files("mmrl.report") / "templates" / "report.css").read_text() + canvas.css()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        **context,
        css=Markup(css),
        csp=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
    )


def _write(out: Path, page: str) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(page)
            os.chmod(name, 0o644)
            os.replace(name, out)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise Failure(
            f"The report can't be written to {out} ({error.strerror or error}): free some space "
            "or give another place with --out."
        ) from error
