"""An evaluation's metrics as a table of texts, for Markdown, LaTeX and cards."""

from mmrl.learning.evaluation.metrics import Metric, present
from mmrl.learning.evaluation.record import Evaluation, Measure


def metrics_rows(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """The head, and a row a predictor with each metric and its 95% interval."""
    metrics = present(evaluation.models)
    rows = [
        [model.label, *(with_span(metric, model.metrics.get(metric.name)) for metric in metrics)]
        for model in evaluation.models.values()
    ]
    return ["predictor", *(metric.label for metric in metrics)], rows


def with_span(metric: Metric, measure: Measure | None) -> str:
    """A value with its interval, as `0.36 (0.31 to 0.42)`; empty where it is not known."""
    if measure is None:
        return ""
    span = metric.span(measure)
    return f"{metric.written(measure.value)} ({span})" if span else metric.written(measure.value)
