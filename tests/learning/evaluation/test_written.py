"""An evaluation's metrics as a table of texts."""

from dataclasses import replace

from mmrl.learning.evaluation.written import metrics_rows
from tests.support.report_factory import make_evaluation


def test_a_metric_that_is_known_of_no_predictor_has_no_column() -> None:
    evaluation = make_evaluation()
    head, rows = metrics_rows(evaluation)
    assert "MAE, log units" in head
    assert [row[0] for row in rows] == [model.label for model in evaluation.models.values()]
    unknown = {
        name: replace(model, metrics={**model.metrics, "mae_log": None})
        for name, model in evaluation.models.items()
    }
    shorter, kept = metrics_rows(replace(evaluation, models=unknown))
    place = head.index("MAE, log units")
    assert shorter == head[:place] + head[place + 1 :]
    assert kept == [row[:place] + row[place + 1 :] for row in rows]
