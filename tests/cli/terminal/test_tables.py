"""Tables on the terminal: metrics, comparisons, versions and predictions."""

import io
from dataclasses import replace

from rich.console import Console

from mmrl.cli.terminal.tables import (
    comparison_table,
    metrics_table,
    prediction_table,
    versions_table,
)
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.registry.version import Comparison, Version
from tests.support.report_factory import (
    make_evaluation,
    make_history,
)


def test_the_terminal_table_fits_eighty_columns_and_keeps_the_lead_metrics() -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(metrics_table(make_evaluation()))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    for expected in ("mmrl", "Noise ceiling", "0.460", "0.41…0.51", "not known", "400 posts"):
        assert expected in text
    assert "…\n" not in text  # nothing is cut off


def test_the_terminal_table_names_the_blocks_of_a_small_set_and_a_split_that_leaks() -> None:
    evaluation = make_evaluation()
    several = replace(evaluation.splits, earlier_tests=[evaluation.splits.validation])
    leaking = replace(evaluation.splits, kind="random", leaking=True)
    for splits, words in (
        (several, "570 posts in 2 blocks, each later than all that its model learned from"),
        (leaking, "400 posts drawn at random: this split leaks"),
    ):
        console = Console(width=80, file=io.StringIO())
        console.print(metrics_table(replace(evaluation, splits=splits)))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert words in " ".join(text.split())


def test_a_comparison_of_different_test_posts_says_so() -> None:
    one, other = make_history(2)
    one.metrics["spearman"] = Measure(0.4, 0.3, 0.5)
    other.metrics["spearman"] = Measure(0.45, 0.3, 0.5)
    comparison = Comparison.of(one, other, same_test_posts=False)
    console = Console(width=100, file=io.StringIO())
    console.print(comparison_table(comparison))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "different test posts" in text
    assert "+0.050" in text


def test_versions_and_predictions_are_shown_with_what_is_unknown() -> None:
    from mmrl.serving.prediction import Interval, Prediction

    metrics = {"spearman": Measure(0.4, 0.3, 0.5), "rmse_log": None}
    version = Version("3", "run", "2026-10-10T00:00:00Z", True, metrics, {}, 400, "better")
    prediction = Prediction(
        title="[bold]not markup[/bold]",
        subreddit="aww",
        posted_at="2026-10-10T12:00:00Z",
        model_version="3",
        score=Interval(3, 41, 512),
        popularity=None,
        percentile=Interval(0.1, 0.55, 0.9),
        caption="",
        caption_kind="tags",
        simulated=False,
        notes=["r/aww was never seen"],
    )
    console = Console(width=120, file=io.StringIO())
    console.print(versions_table([version]))
    console.print(prediction_table(prediction))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in (
        *("3 champion", "2026-10-10", "0.400", "not known"),
        *("[bold]not markup[/bold]", "41", "3 to 512", "55%", "r/aww was never seen"),
        *("the subreddit's subscribers are not known", "the image's tags"),
    ):
        assert expected in text
