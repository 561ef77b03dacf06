"""Reasons and hours as the page draws them: bars of contributions, coloured cells."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mmrl.serving.answers.explain import Explanation
from mmrl.serving.answers.occlude import OcclusionMap
from mmrl.serving.answers.when import HourTable
from mmrl.web.facts.community import Lately

_HALF = 50.0  # units of a bar's half
_HEATS = 5  # colours of cells, from worst to best
_FEW = 5  # posts; a cell of fewer has no colour


@dataclass(frozen=True)
class Reason:
    """A contribution: its label, its bar, and what it does in words."""

    label: str
    bar: Markup
    effect: str


@dataclass(frozen=True)
class WordWorth:
    """A word of the title: `way` is up, down, or empty where it hardly matters."""

    word: str
    way: str
    effect: str


@dataclass(frozen=True)
class Reasons:
    """An explanation in words; its parts make the whole by `how`: they add up, or multiply."""

    compared_with: str
    together: str
    how: str
    reasons: list[Reason]
    words: list[WordWorth]
    trust: str


def reasons(explanation: Explanation) -> Reasons:
    """An explanation as the page shows it."""
    widest = max((abs(one.value) for one in explanation.contributions), default=0.0)
    name = f"r/{explanation.subreddit}" if explanation.subreddit else "all known communities"
    total = explanation.predicted - explanation.typical
    logarithms = any(one.factor is not None for one in explanation.contributions)
    return Reasons(
        compared_with=f"{explanation.posts} recent matured posts of {name}",
        together=_effect(total, float(np.exp(total)) if logarithms else None),
        how="multiply" if logarithms else "add up",
        reasons=[
            Reason(one.label, _bar(one.value, widest), _effect(one.value, one.factor))
            for one in explanation.contributions
        ],
        words=[
            WordWorth(word.word, _way(word.value), _effect(word.value, word.factor))
            for word in explanation.words
        ],
        trust=explanation.trust,
    )


def _effect(value: float, factor: float | None) -> str:
    """What a contribution does: to the expected score, or to the percentile in points."""
    if factor is None:
        points = round(100 * value)
        return f"{abs(points)} points {'up' if points > 0 else 'down'}" if points else "no change"
    if factor >= 2:
        return f"score × {factor:.1f}"
    percent = round(100 * (factor - 1))
    return f"{abs(percent)}% {'more' if percent > 0 else 'less'} score" if percent else "no change"


def _way(value: float) -> str:
    if abs(value) < 0.01:
        return ""
    return "up" if value > 0 else "down"


def _bar(value: float, widest: float) -> Markup:
    """A bar to the right of the axis for what adds, to the left for what takes."""
    width = _HALF * abs(value) / widest if widest else 0.0
    start = _HALF if value > 0 else _HALF - width
    return Markup(
        '<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="{0}" x="{1:.2f}" y="1" width="{2:.2f}" height="6"/>'
        '<rect class="axis" x="49.7" width="0.6" height="8"/></svg>'
    ).format("up" if value > 0 else "down", start, width)


def squares(occlusion: OcclusionMap) -> Markup:
    """Squares over a picture: the more one adds or takes, the stronger its colour."""
    rows, columns = occlusion.values.shape
    most = float(np.abs(occlusion.values).max()) or 1.0
    drawn = [
        Markup(
            '<rect class="{0}" x="{1}" y="{2}" width="1" height="1" fill-opacity="{3:.2f}"/>'
        ).format("up" if value > 0 else "down", column, row, 0.75 * abs(value) / most)
        for row, values in enumerate(occlusion.values)
        for column, value in enumerate(values)
    ]
    start = Markup(
        '<svg viewBox="0 0 {0} {1}" preserveAspectRatio="none" aria-hidden="true">'
    ).format(columns, rows)
    return start + Markup("").join(drawn) + Markup("</svg>")


def most_telling(occlusion: OcclusionMap) -> str:
    """Where the square is that adds the most, in words."""
    row, column = np.unravel_index(int(occlusion.values.argmax()), occlusion.values.shape)
    if occlusion.values[row, column] <= 0:
        return "No square adds to the prediction."
    rows, columns = occlusion.values.shape
    down = ("top", "middle", "bottom")[min(2, 3 * int(row) // rows)]
    across = ("left", "middle", "right")[min(2, 3 * int(column) // columns)]
    where = "middle" if down == across else f"{down} {across}"
    return f"What adds most is at the {where}."


@dataclass(frozen=True)
class Cell:
    """A cell of a table of hours; `mark` names the best and the worst hours."""

    text: str
    heat: int
    mark: str


def heat(table: HourTable) -> list[list[Cell]]:
    """The cells by weekday; where the hour hardly matters they all have the middle colour."""
    marks = {(one.weekday, one.hour): "best" for one in table.best}
    marks |= {(one.weekday, one.hour): "worst" for one in table.worst}
    low, high = np.nanmin(table.values), np.nanmax(table.values)
    cells = []
    for weekday, day in enumerate(table.values):
        row = []
        for hour, value in enumerate(day):
            if np.isnan(value):
                row.append(Cell("", _HEATS // 2, ""))
                continue
            share = (value - low) / (high - low) if high > low else 0.5
            level = min(int(share * _HEATS), _HEATS - 1) if table.matters else _HEATS // 2
            text = f"{100 * value:.0f}" if table.by == "percentile" else f"{value:,.0f}"
            mark = marks.get((weekday, hour), "") if table.matters else ""
            row.append(Cell(text, level, mark))
        cells.append(row)
    return cells


def heat_of_groups(recent: Lately) -> list[list[Cell]]:
    """The cells of a community's hours: where its middle post stood, and of how many."""
    best = {group.name for group in recent.best} if recent.hours_differ else set()
    cells = []
    for day in recent.hours:
        row = []
        for group in day:
            if group.median is None:
                row.append(Cell("", _HEATS // 2, ""))
                continue
            level = min(int(group.median * _HEATS), _HEATS - 1)
            coloured = recent.hours_differ and group.posts >= _FEW
            mark = "best" if group.name in best else ""
            text = f"{100 * group.median:.0f} ({group.posts})"
            row.append(Cell(text, level if coloured else _HEATS // 2, mark))
        cells.append(row)
    return cells
