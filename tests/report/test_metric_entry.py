"""A metric is one entry: whoever shows metrics shows an added one, without another edit."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from mmrl.catalog import Catalog
from mmrl.cli.terminal.tables import comparison_table, metrics_table, versions_table
from mmrl.learning.evaluation import evaluate
from mmrl.learning.evaluation.ablation import GROUPS, lost_without
from mmrl.learning.evaluation.evaluate import Judgement, Predictor
from mmrl.learning.evaluation.metrics import METRICS, Metric
from mmrl.learning.evaluation.statistics import (
    Predicted,
    Truth,
    mean_absolute_error,
    of_log_scores,
)
from mmrl.learning.registry.version import Comparison
from mmrl.report.build import build_report
from tests.support.report_factory import (
    AS_OF,
    make_evaluation,
    make_history,
    make_predictions,
)

ADDED = Metric(
    "added",
    "Added metric",
    "lower",
    "what a test adds",
    of_log_scores(mean_absolute_error),
    unit="test units",
    head="Added\nhead",
    says=lambda value: f"The added metric says {value:.2f}.",
    leads_by="the added lead",
    compared=True,
    ablated=True,
)


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, ADDED.name, ADDED)


@pytest.fixture
def judged() -> Judgement:
    draw = np.random.default_rng(0)
    true = draw.normal(4, 1, 60)
    truth = Truth(true, np.full(60, np.nan), np.zeros(60, int), np.arange(60))
    predictors = [
        Predictor(name, name, kind, values, Predicted(values), 1.0)
        for name, kind, values in (
            ("mmrl", "model", true + draw.normal(0, 0.5, 60)),
            ("baseline", "baseline", true + draw.normal(0, 1, 60)),
        )
    ]
    return evaluate.judge_all(predictors, truth, np.arange(60) % 2 == 0, 20, 0)


def printed(table: Table) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_an_added_metric_is_judged_compared_and_ablated(judged: Judgement) -> None:
    measure = judged.results["mmrl"].metrics["added"]
    assert measure is not None
    assert measure.low < measure.value < measure.high
    lead = evaluate.differences(judged)["baseline"]["added"]
    assert lead is not None
    assert lead.value < 0
    row = lost_without(GROUPS[0], [judged.judged["mmrl"]], [judged.judged["baseline"]], 0)
    assert row.losses["added"] == lead


def test_an_added_metric_is_in_every_table_and_in_the_report(
    judged: Judgement, tmp_path: Path
) -> None:
    loss = lost_without(GROUPS[0], [judged.judged["mmrl"]], [judged.judged["baseline"]], 0)
    evaluation = replace(
        make_evaluation(),
        models=judged.results,
        differences=evaluate.differences(judged),
        ablation=[loss],
    )
    history = make_history(2)
    for version in history:
        version.metrics["added"] = judged.results["mmrl"].metrics["added"]
    assert "head" in printed(metrics_table(evaluation))
    assert "head" in printed(versions_table(history))
    compared = Comparison.of(*history, same_test_posts=True)
    assert "Added metric, test units" in printed(comparison_table(compared))

    catalog = Catalog.open(tmp_path / "home", create=True)
    out = tmp_path / "report.html"
    predictions = make_predictions(30)
    build_report(catalog, evaluation, predictions, history, simulated=True, as_of=AS_OF, out=out)
    page = out.read_text(encoding="utf-8")
    value = ADDED.written(judged.results["mmrl"].metrics["added"].value)  # type: ignore[union-attr]
    for shown in (
        "The added metric says",  # its tile
        "by the added lead, ",  # the verdict
        "<dd>what a test adds</dd>",  # its meaning
        f"Added metric, test units: mmrl {value}",  # its plot
        "Added metric, test units by model version: version 1",  # and that over time
    ):
        assert shown in page, shown
    columns = re.findall(r'<th scope="col" class="number"[^>]*>Added metric, test units', page)
    assert len(columns) == 5  # metrics, differences, ablation, authors seen and never seen


def test_each_metric_that_the_page_shows_has_a_tile() -> None:
    shown = [metric for metric in METRICS.values() if metric.on_page]
    assert len(shown) >= 3
    assert all(metric.says for metric in shown)
