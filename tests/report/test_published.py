"""The report shows how published predictions came out."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mmrl.catalog import Catalog
from mmrl.learning.evaluation.prospective import Scored, Scores
from mmrl.report.build import build_report
from tests.support.report_factory import (
    AS_OF,
    PLAIN_TITLES,
    fill_catalog,
    make_evaluation,
    make_history,
    make_predictions,
)


@pytest.mark.slow
def test_published_predictions_are_plotted_by_day_with_a_warning_where_a_week_was_bad(
    catalog: Catalog, tmp_path: Path
) -> None:
    predictions = make_predictions(60)
    fill_catalog(catalog, predictions, PLAIN_TITLES)
    days = [
        Scored(date(2026, 9, day), 30, ("1",), 0.4, 0.8, 0.5 + day / 10, 0.6 if day > 1 else None)
        for day in range(1, 9)
    ]
    scores = Scores("log_score", tuple(days), replace(days[-1], posts=210), 12, 0, 0)
    pages = [
        build_report(
            catalog,
            make_evaluation(),
            predictions,
            make_history(2),
            simulated=False,
            as_of=AS_OF,
            out=tmp_path / "report.html",
            scores=shown,
        ).read_text("utf-8")
        for shown in (scores, replace(scores, days=(), week=None), None)
    ]
    assert "12 predicted posts wait" in pages[0]
    assert "only by 0.60" in pages[0]
    assert "2026-09-08 1.30 of 30" in pages[0]
    assert not any("published predictions" in page for page in pages[1:])
