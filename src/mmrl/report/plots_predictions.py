"""Plots of single predictions: against the truth, and how honest their intervals are."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from mmrl.learning.evaluation.record import Calibrated, Reliability
from mmrl.report.svg import INK, MODEL, MUTED, RULE, Canvas
from mmrl.report.unit import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS_AT_MOST = 1_200  # more than this many posts are drawn as hexagons
_LEVELS = 8  # shades of the hexagons


def predicted_against_true(
    canvas: Canvas, predictions: Mapping[str, np.ndarray], unit: Unit
) -> Markup:
    """True against predicted values, with the diagonal and the 80% interval.

    Args:
        predictions: `true`, `q10`, `q50`, `q90`; 1-d, in `unit`, of equal length, not empty.
    """
    true, middle = predictions["true"], predictions["q50"]
    bins = _equal_bins(middle, most=12)
    centre = np.array([middle[chosen].mean() for chosen in bins])
    low = np.array([predictions["q10"][chosen].mean() for chosen in bins])
    high = np.array([predictions["q90"][chosen].mean() for chosen in bins])
    observed = np.array([np.median(true[chosen]) for chosen in bins])

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        ends = _padded(np.concatenate([true, low, high, [0.0]]))
        across = _padded(middle)
        axes.set_xlim(*across)
        axes.set_ylim(*ends)
        if len(true) <= _DOTS_AT_MOST:
            axes.plot(middle, true, "o", color=MODEL, alpha=0.35, markersize=3.2, mew=0)
        else:
            _hexagons(axes, middle, true, across + ends)
        axes.fill_between(centre, low, high, color=INK, alpha=0.1, linewidth=0)
        axes.plot(centre, low, color=MUTED, linewidth=0.8)
        axes.plot(centre, high, color=MUTED, linewidth=0.8, label="80% interval, mean of a bin")
        line = np.array([max(across[0], ends[0]), min(across[1], ends[1])])
        axes.plot(line, line, "--", color=INK, linewidth=1, label="predicted = true")
        axes.plot(centre, observed, "o", color=INK, markersize=4, label="true median of a bin")
        for axis, (first, last) in ((axes.xaxis, across), (axes.yaxis, ends)):
            ticks = [tick for tick in unit.ticks if first <= tick <= last]
            axis.set_ticks(ticks, [unit.says(tick) for tick in ticks])
        axes.tick_params(labelcolor=MUTED, color=RULE)
        axes.grid()
        axes.set_xlabel(f"predicted {unit.axis}")
        axes.set_ylabel(f"true {unit.axis}")
        figure.legend(loc="outside lower left", ncols=2)

    correlation = np.corrcoef(middle, true)[0, 1] if middle.std() and true.std() else math.nan
    shown = "not defined" if math.isnan(correlation) else f"{correlation:.2f}"
    alt = (
        f"True against predicted {unit.axis}, of {len(true):,} test posts, with the diagonal and "
        f"the predicted 80% interval. Their correlation: {shown}."
    )
    return canvas.draw(paint, width=450, height=430, alt=alt)


def calibration(canvas: Canvas, points: Sequence[Calibrated]) -> Markup:
    """Share of true values below each predicted quantile."""
    nominal = [point.nominal for point in points]
    observed = [point.observed for point in points]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="perfectly calibrated")
        axes.plot(nominal, observed, "o-", color=MODEL, markersize=6, label="this model")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
        axes.set_yticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
        axes.grid()
        axes.set_xlabel("predicted quantile")
        axes.set_ylabel("true values below it")
        axes.legend(loc="upper left")
        axes.set_title("Predicted quantiles")

    sentence = "; ".join(
        f"{seen:.0%} below the {promise:.0%} quantile"
        for promise, seen in zip(nominal, observed, strict=True)
    )
    return canvas.draw(paint, width=400, height=310, alt=f"Calibration: {sentence}.")


def reliability(canvas: Canvas, parts: Sequence[Reliability]) -> Markup:
    """Share of posts that were removed, by the chance that was said, with Wilson's intervals."""
    chances, came = [part.said for part in parts], [part.came for part in parts]
    spans = [_wilson(round(part.came * part.posts), part.posts) for part in parts]
    most = max(*chances, *(high for _, high in spans)) * 1.05

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot([0, most], [0, most], "--", color=INK, linewidth=1)
        below = [share - low for share, (low, _) in zip(came, spans, strict=True)]
        above = [high - share for share, (_, high) in zip(came, spans, strict=True)]
        axes.errorbar(chances, came, yerr=[below, above], fmt="o-", color=MODEL, markersize=6)
        axes.set_xlim(0, most)
        axes.set_ylim(0, most)
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.grid()
        axes.set_xlabel("chance of removal that was said")
        axes.set_ylabel("share that was removed")

    sentence = "; ".join(
        f"said {one:.1%}, came {other:.1%}" for one, other in zip(chances, came, strict=True)
    )
    return canvas.draw(paint, width=400, height=310, alt=f"Reliability: {sentence}.")


def coverage_by_level(canvas: Canvas, predictions: Mapping[str, np.ndarray], unit: Unit) -> Markup:
    """The 80% interval's coverage among posts predicted low, middling and high.

    Args:
        predictions: `true`, `q10`, `q50`, `q90`; 1-d, in `unit`, of equal length, not empty.
    """
    true = predictions["true"]
    inside = (true >= predictions["q10"]) & (true <= predictions["q90"])
    bins = _equal_bins(predictions["q50"], most=5)
    labels, shares, spans = [], [], []
    for chosen in bins:
        level = predictions["q50"][chosen]
        labels.append(f"{unit.says(float(level.min()))} to\n{unit.says(float(level.max()))}")
        shares.append(float(inside[chosen].mean()))
        spans.append(_wilson(int(inside[chosen].sum()), len(chosen)))

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.axhline(0.8, color=INK, linewidth=1, linestyle="--")
        for place, (share, (low, high)) in enumerate(zip(shares, spans, strict=True)):
            axes.plot([place, place], [low, high], color=MODEL, linewidth=2)
            axes.plot(place, share, "o", color=MODEL, markersize=6)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_ylim(min(0.5, *(low for low, _ in spans)), 1)
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.grid(axis="y")
        axes.set_xlabel(f"predicted {unit.name}, groups of equal size")
        axes.set_ylabel("inside the 80% interval")
        axes.set_title("Coverage by predicted level")

    sentence = "; ".join(
        f"predicted {label.replace(chr(10), ' ')}: {share:.0%}"
        for label, share in zip(labels, shares, strict=True)
    )
    return canvas.draw(
        paint, width=400, height=310, alt=f"Coverage of the 80% interval, {sentence}; 80% is right."
    )


def _hexagons(
    axes: "Axes", x: np.ndarray, y: np.ndarray, extent: tuple[float, float, float, float]
) -> None:
    """Hexagons shaded by the log of their count, in few shades of one colour."""
    drawn = axes.hexbin(x, y, gridsize=(34, 22), mincnt=1, extent=extent, linewidths=0)
    counts = np.log1p(np.asarray(drawn.get_array()))
    shade = np.ceil(counts / counts.max() * _LEVELS) / _LEVELS
    drawn.set_array(None)
    from matplotlib.colors import to_rgba

    drawn.set_facecolor([to_rgba(MODEL, float(alpha)) for alpha in 0.1 + 0.85 * shade])
    drawn.set_edgecolor("none")


def _padded(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room


def _equal_bins(values: np.ndarray, most: int) -> list[np.ndarray]:
    """Indices of groups of equal size by rising value, each of 20 or more where there are 20."""
    groups = max(1, min(most, len(values) // 20))
    return list(np.array_split(np.argsort(values, kind="stable"), groups))


def _wilson(hits: int, tries: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson, 1927)."""
    z = 1.96
    share = hits / tries
    middle = (share + z * z / (2 * tries)) / (1 + z * z / tries)
    half = z / (1 + z * z / tries) * math.sqrt(share * (1 - share) / tries + (z / tries) ** 2 / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
