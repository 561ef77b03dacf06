"""A plot of what the model was trained and judged on."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup

from mmrl.learning.evaluation.record import Part
from mmrl.report.svg import BASELINE, INK, MODEL, MUTED, Canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BARS_AT_MOST = 120


def posts_over_time(
    canvas: Canvas,
    days: Sequence[tuple[date, int]],
    parts: Sequence[tuple[str, Part]],
    earlier_tests: Sequence[tuple[str, Part]],
) -> Markup:
    """Posts a day (or a longer step where there are many days), with the splits marked.

    Args:
        days: a day and its posts, in order, at least one.
        parts: of the split, by name.
        earlier_tests: they overlap the parts, and are drawn above them.
    """
    first, last = days[0][0], days[-1][0]
    step = max(1, -(-((last - first).days + 1) // _BARS_AT_MOST))
    counts: dict[int, int] = {}
    for day, posts in days:
        place = (day - first).days // step
        counts[place] = counts.get(place, 0) + posts
    unit = "day" if step == 1 else f"{step} days"

    def paint(figure: "Figure") -> None:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

        axes = figure.subplots()
        starts = [date2num(first + timedelta(days=place * step)) for place in counts]
        axes.bar(
            starts, list(counts.values()), width=step * 0.9, align="edge", color=BASELINE, alpha=0.6
        )
        top = max(counts.values())
        axes.set_ylim(0, top * (1.5 if earlier_tests else 1.3))
        spans = [(float(place % 2), *span) for place, span in enumerate(parts)]
        spans += [(3.0 + place % 2, *span) for place, span in enumerate(earlier_tests)]
        for row, name, part in spans:
            height = top * (1.1 + 0.06 * row)
            begin, end = date2num(part.start), date2num(part.end)
            axes.plot([begin, end], [height] * 2, color=MODEL, linewidth=3)
            axes.annotate(
                name,
                ((begin + end) / 2, height),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                color=INK,
                fontsize=8,
            )
        axes.set_ylabel(f"posts a {unit}" if step == 1 else f"posts in {unit}")
        axes.tick_params(axis="y", labelcolor=MUTED)
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.grid(axis="y")

    total = sum(posts for _, posts in days)
    ranges = "; ".join(
        f"{name} from {part.start:%Y-%m-%d} to {part.end:%Y-%m-%d}"
        for name, part in [*parts, *earlier_tests]
    )
    return canvas.draw(
        paint,
        width=500,
        height=240,
        alt=f"{total:,} posts from {first} to {last}, by {unit}. Splits: {ranges}.",
    )
