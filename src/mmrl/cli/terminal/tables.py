"""Evaluations, model versions, predictions and communities as tables on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from mmrl.cli.terminal.table import listing, plain_table
from mmrl.learning.evaluation.metrics import Metric, best, metric_of, on_terminal
from mmrl.learning.evaluation.record import Evaluation, Measure
from mmrl.learning.evaluation.written import paired_rows
from mmrl.runtime.foreign_text import shown

if TYPE_CHECKING:
    from mmrl.learning.evaluation.paired import Paired
    from mmrl.learning.registry.version import Comparison, Version
    from mmrl.serving.communities import Community
    from mmrl.serving.prediction import Interval, Prediction

_LABEL_WIDTH = 23
# Why a prediction lacks a row.
_NO_SUBSCRIBERS = "the subreddit's subscribers are not known"
_PERCENTILES_ONLY = "the model learned percentiles, not scores"


def metrics_table(evaluation: Evaluation, *, title: str | None = None) -> Table:
    """A row a predictor: the model (highlighted), each baseline, the noise ceiling where known.

    Args:
        title: above the table; by default how many test posts it speaks of.
    """
    models, splits = evaluation.models, evaluation.splits
    judged_on = f"{splits.judged_posts:,} posts that came later"
    if splits.leaking or splits.earlier_tests:
        judged_on = splits.judged_on + (": this split leaks" if splits.leaking else "")
    columns = {
        metric: {name: model.metrics.get(metric.name) for name, model in models.items()}
        for metric in on_terminal()
    }
    columns = {metric: column for metric, column in columns.items() if any(column.values())}
    table = plain_table(
        f"Judged on {judged_on}" if title is None else title,
        "Dim: 95% bootstrap interval. Green: the best, parts and ceiling aside.\n"
        "In sub: within subreddit. Log: of log(1 + score). Pair: same subreddit and hour.",
        collapse_padding=True,
        padding=(0, 1, 0, 0),
    )
    table.add_column("predictor", max_width=_LABEL_WIDTH, vertical="top")
    for metric in columns:
        table.add_column(_with_way(metric.head, metric), justify="right", no_wrap=True)
    judged = [name for name, model in models.items() if model.kind in ("model", "baseline")]
    winners = {metric: best(metric, column, judged) for metric, column in columns.items()}
    for name, model in models.items():
        style = {"model": "bold cyan", "ceiling": "yellow", "part": "dim"}.get(model.kind, "")
        table.add_row(
            Text(model.label, style=style),
            *(
                _cell(metric, column[name], style, winners[metric] == name)
                for metric, column in columns.items()
            ),
        )
    return table


def versions_table(versions: "Sequence[Version]") -> Table:
    """A row a model version, oldest first; the champion is marked."""
    table = plain_table(padding=(0, 1, 0, 0))
    table.add_column("version")
    table.add_column("trained as of", min_width=10)
    metrics = on_terminal()
    for metric in metrics:
        head = _with_way(metric.head, metric)
        table.add_column(head, justify="right", min_width=len("0.00…0.00"))
    for version in versions:
        style = "bold cyan" if version.champion else ""
        table.add_row(
            Text(f"{version.version} champion" if version.champion else version.version, style),
            version.trained_at[:10],
            *(_cell(metric, version.metrics.get(metric.name), style) for metric in metrics),
        )
    return table


def comparison_table(comparison: "Comparison") -> Table:
    """Two versions side by side."""
    same = comparison.same_test_posts
    table = plain_table(
        None
        if same
        else "Judged on different test posts: part of a difference is the posts, not the model."
    )
    table.add_column("metric")
    for version in (comparison.a, comparison.b):
        champion = " (champion)" if version.champion else ""
        table.add_column(f"version {version.version}{champion}", justify="right")
    table.add_column("difference", justify="right")
    for name, row in comparison.metrics.items():
        metric, difference = metric_of(name), row.difference
        better = difference is not None and (
            difference > 0 if metric.better == "higher" else difference < 0
        )
        judged = metric.better in ("higher", "lower") and difference
        table.add_row(
            _with_way(metric.label, metric),
            *(_cell(metric, measure, "") for measure in (row.a, row.b)),
            Text("not known", style="dim")
            if difference is None
            else Text(
                f"{difference:+.{metric.decimals}f}",
                style="" if not judged else "green" if better else "yellow",
            ),
        )
    return table


def paired_table(paired: "Paired") -> Table:
    """Versions on the test posts that they share, a line a metric of each."""
    head, rows = paired_rows(paired)
    table = plain_table(
        f"On the {paired.posts:,} test posts that they share; differences from the first"
    )
    table.add_column("metric")
    for row in rows:
        table.add_column(f"version {row[0]}", justify="right")
    for place in range(1, len(head), 2):
        cells = [f"{row[place]}\n{row[place + 1]}".rstrip() for row in rows]
        table.add_row(head[place], *map(Text, cells))
    return table


def prediction_table(prediction: "Prediction") -> Table:
    """Table of predictions of a draft, each with the interval that holds 80 outcomes in 100."""
    table = plain_table(
        f"{shown(prediction.title, 300)}  r/{shown(prediction.subreddit)}, "
        f"posted {prediction.posted_at}",
        "\n".join(prediction.notes) if prediction.notes else None,
    )
    table.add_column("")
    table.add_column("likely", justify="right")
    table.add_column("80% interval", justify="right")
    # A model that tells no score has learned percentiles, or popularity.
    of_percentiles = prediction.score is None and prediction.percentile is not None
    no_score = _PERCENTILES_ONLY if of_percentiles else _NO_SUBSCRIBERS
    rows: tuple[tuple[str, Interval | None, str, str], ...] = (
        ("score", prediction.score, "{:,.0f}", no_score),
        (
            "popularity (score per 1,000 subscribers)",
            prediction.popularity,
            "{:,.3g}",
            no_score,
        ),
        (
            "better than this share of the subreddit's posts",
            prediction.percentile,
            "{:.0%}",
            "too few of its posts have matured" if prediction.score else _NO_SUBSCRIBERS,
        ),
    )
    for name, interval, form, why in rows:
        if interval is None:
            table.add_row(name, Text("not known", style="dim"), Text(why, style="dim"))
        else:
            table.add_row(
                name,
                Text(form.format(interval.middle), style="bold"),
                f"{form.format(interval.low)} to {form.format(interval.high)}",
            )
    if prediction.removal is not None:
        from mmrl.serving.wording import chance

        table.add_row("removed by moderators or filters", chance(prediction.removal), "")
    if prediction.caption is not None:
        caption = Text(shown(prediction.caption or "not sure", 300))
        table.add_row(f"the image's {prediction.caption_kind}", caption, "")
    table.add_row("model version", prediction.model_version, "")
    return table


def communities_table(known: "Sequence[Community]") -> "Table":
    """A row a community."""
    table = listing()
    table.add_column("community", overflow="fold")
    for name in ("posts", "matured", "median score", "subscribers"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("newest", no_wrap=True)
    for one in known:
        table.add_row(
            Text(shown(one.name, 80)),
            f"{one.posts:,}",
            f"{one.matured:,}",
            "not known" if one.median_score is None else f"{one.median_score:,.0f}",
            "not known" if one.subscribers is None else f"{one.subscribers:,}",
            f"{one.newest:%Y-%m-%d}",
        )
    return table


def _with_way(head: str, metric: Metric) -> str:
    """A head with an arrow to where better values lie."""
    ways = {"higher": " ↑", "lower": " ↓", "nominal": f" →{metric.nominal:g}", "none": ""}
    return head + ways[metric.better]


def _cell(metric: Metric, measure: Measure | None, style: str, won: bool = False) -> Text:
    if measure is None:
        return Text("not known", style="dim")
    cell = Text(f"{measure.value:.{metric.decimals}f}", style="bold green" if won else style)
    if measure.interval:
        low, high = measure.interval
        cell.append(f"\n{low:.2f}…{high:.2f}", style="dim not bold")
    return cell
