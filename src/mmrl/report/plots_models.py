"""Plots of how models compare: against baselines, over versions, and with parts taken away."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from mmrl.learning.evaluation.metrics import Metric
from mmrl.learning.evaluation.prospective import Scores
from mmrl.learning.evaluation.record import AblationRow, Measure, ModelResult
from mmrl.learning.registry.version import Version
from mmrl.report.svg import BASELINE, CEILING, INK, MODEL, MUTED, PAGE, RULE, Canvas, Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"model": MODEL, "ceiling": CEILING}
_MARKS = {"model": "o", "ceiling": "D"}  # shapes too: colour alone does not reach everybody
_ROW = 38  # CSS pixels


def comparison(canvas: Drawing, models: Mapping[str, ModelResult], metric: Metric) -> Markup | None:
    """A dot with its interval for each model that has the metric; None where none has."""
    rows = [
        (model.label, model.kind, measure)
        for model in models.values()
        if (measure := model.metrics.get(metric.name)) is not None
    ]
    if not rows:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        for place, (label, kind, measure) in enumerate(rows):
            colour = _COLOURS.get(kind, BASELINE)
            if measure.interval:
                axes.plot(measure.interval, [place] * 2, color=colour, linewidth=2.4)
            axes.plot(measure.value, place, _MARKS.get(kind, "s"), color=colour, markersize=6.5)
            # Above its dot, not beside the axis: the plot keeps its width on a narrow screen.
            axes.text(
                0,
                place - 0.3,
                label,
                transform=axes.get_yaxis_transform(),
                va="bottom",
                fontsize=9,
                fontweight="bold" if kind == "model" else "normal",
                bbox={"facecolor": PAGE, "edgecolor": "none", "alpha": 0.85, "pad": 0.8},
            )
        model = next((measure for _, kind, measure in rows if kind == "model"), None)
        if model is not None:
            axes.axvline(model.value, color=MODEL, linewidth=0.8, linestyle=":", zorder=0)
        _rows(axes, [""] * len(rows))
        axes.set_ylim(len(rows) - 0.55, -0.95)
        if metric.better != "none":
            side = {"higher": "higher is better", "lower": "lower is better"}
            axes.set_xlabel(side.get(metric.better, f"{metric.nominal:g} is right"))
        axes.set_title(metric.label)

    values = "; ".join(f"{label} {_text(metric, measure)}" for label, _, measure in rows)
    return canvas.draw(
        paint, width=340, height=75 + _ROW * len(rows), alt=f"{metric.label}: {values}."
    )


def over_time(canvas: Canvas, versions: Sequence[Version], metric: Metric) -> Markup | None:
    """A metric for every model version, in their order; None where no version has it."""
    points = [
        (place, version, measure)
        for place, version in enumerate(versions)
        if (measure := version.metrics.get(metric.name)) is not None
    ]
    if not points:
        return None
    ceilings = [
        (place, measure.value)
        for place, version in enumerate(versions)
        if (measure := version.noise_ceiling.get(metric.name)) is not None
    ]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        if ceilings:
            axes.plot(*zip(*ceilings, strict=True), "D--", color=CEILING, markersize=4, linewidth=1)
            axes.annotate(
                "noise ceiling",
                ceilings[0],
                xytext=(0, 6),
                textcoords="offset points",
                color=MUTED,
                fontsize=8,
            )
        axes.plot(
            [place for place, _, _ in points],
            [measure.value for _, _, measure in points],
            color=MODEL,
            linewidth=1.2,
        )
        for place, version, measure in points:
            if measure.interval:
                axes.plot([place] * 2, measure.interval, color=MODEL, linewidth=2, alpha=0.5)
            mark, size = ("*", 13) if version.champion else ("o", 6)
            axes.plot(place, measure.value, mark, color=MODEL, markersize=size)
        step = max(1, -(-len(versions) // 6))
        ticks = list(range(0, len(versions), step))
        names = [f"{versions[at].version}\n{versions[at].trained_at[:10]}" for at in ticks]
        axes.set_xticks(ticks, names)
        axes.set_xlim(-0.5, len(versions) - 0.5)
        axes.grid(axis="y")
        axes.margins(y=0.2)
        axes.set_title(metric.label)

    values = "; ".join(
        f"version {version.version} {_text(metric, measure)}" for _, version, measure in points
    )
    return canvas.draw(
        paint, width=400, height=225, alt=f"{metric.label} by model version: {values}."
    )


def scored_days(canvas: Canvas, scores: Scores) -> Markup | None:
    """Mean error of published predictions by day, beside the baseline's; None without a day."""
    days = scores.days
    if not days:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        for name, errors, colour, mark in (
            ("recent means", [day.baseline_error for day in days], BASELINE, "s"),
            ("published", [day.error for day in days], MODEL, "o"),
        ):
            places = [day.day.toordinal() for day in days]
            values = [np.nan if error is None else error for error in errors]
            axes.plot(places, values, f"{mark}-", color=colour, label=name)
        shown = days[:: max(1, -(-len(days) // 5))]
        axes.set_xticks([day.day.toordinal() for day in shown], [f"{day.day}" for day in shown])
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        axes.legend(frameon=False, fontsize=8)
        unit = "log score" if scores.unit == "log_score" else "percentile"
        axes.set_title(f"Mean error of published predictions ({unit})")

    by_day = "; ".join(f"{day.day} {day.error:.2f} of {day.posts}" for day in days)
    return canvas.draw(
        paint, width=500, height=240, alt=f"Mean error of published predictions by day: {by_day}."
    )


def ablation(canvas: Canvas, parts: Sequence[AblationRow], metric: Metric) -> Markup:
    """The loss of a metric without each of the parts, from top to bottom."""
    rows = [
        (part.label, measure)
        for part in parts
        if (measure := part.losses.get(metric.name)) is not None
    ]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        for place, (_, measure) in enumerate(rows):
            axes.barh(place, measure.value, height=0.55, color=MODEL, alpha=0.75, linewidth=0)
            if measure.interval:
                axes.plot(measure.interval, [place] * 2, color=INK, linewidth=1.3)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        _rows(axes, [label for label, _ in rows])
        axes.set_xlabel(f"{metric.label}\nlost without it")  # a line is cut beside long names

    values = "; ".join(f"{label} {_text(metric, measure)}" for label, measure in rows)
    return canvas.draw(
        paint, width=430, height=75 + 30 * len(rows), alt=f"{metric.label} lost without: {values}."
    )


def _rows(axes: "Axes", labels: Sequence[str]) -> None:
    """Named rows from top to bottom, over a faint vertical grid."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.grid(axis="x")
    axes.margins(x=0.08)


def _text(metric: Metric, measure: Measure) -> str:
    span = metric.span(measure)
    return metric.written(measure.value) + (f" (interval {span})" if span else "")
