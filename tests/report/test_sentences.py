"""Sentences and numbers of the report, as people read them."""

from dataclasses import replace

from mmrl.learning.evaluation.metrics import METRICS, best
from mmrl.learning.evaluation.record import AblationRow, Evaluation, Measure
from mmrl.report.sentences import verdict
from mmrl.report.tables import ablation_rows, made_of
from tests.support.report_factory import (
    make_evaluation,
)


def test_the_headline_says_when_a_lead_is_not_clear_or_not_within_subreddits() -> None:
    evaluation = make_evaluation()
    assert verdict(evaluation).headline == "The model clearly beats all 5 baselines"
    closest = evaluation.differences["boosting"]
    closest["spearman_within"] = Measure(0.01, -0.02, 0.04)
    assert "not each of them clearly" in verdict(evaluation).headline
    closest["spearman_within"] = Measure(-0.01, -0.04, 0.02)
    assert "not within subreddits" in verdict(evaluation).headline
    behind = replace(evaluation, beats_all_baselines=False)
    assert verdict(behind).headline == "The model does not beat every baseline"


def test_the_packaged_profile_has_tags_and_a_label_bridge_wherever_they_are_shown() -> None:
    evaluation = make_evaluation()
    evaluation.ablation.extend(
        AblationRow(name, f"{name} vector", [name], {"spearman_within": Measure(0.01, 0.01, 0.01)})
        for name in ("caption", "visual")
    )

    def labels(evaluation: Evaluation) -> set[str]:
        found = ablation_rows(evaluation)
        assert found is not None
        return {label for label, _ in found.rows} | {name for name, _ in made_of(evaluation)}

    assert {"Tags", "Label bridge (image with title)"} <= labels(evaluation)
    assert not any("aption" in label or "isual" in label for label in labels(evaluation))
    reference = replace(evaluation, profile="reference")
    assert {"Caption", "caption vector", "visual vector"} <= labels(reference)


def test_best_follows_each_metrics_own_way() -> None:
    values = {"a": Measure(0.7, 0.7, 0.7), "b": Measure(0.82, 0.8, 0.9), "c": None}
    assert best(METRICS["spearman"], values, values) == "b"
    assert best(METRICS["rmse_log"], values, values) == "a"
    assert best(METRICS["coverage_80"], values, values) == "b"
    assert best(METRICS["width_80"], values, values) is None


def test_values_are_written_for_people() -> None:
    metric = METRICS["spearman"]
    assert metric.written(-0.0001) == "0.000"
    assert metric.written(-0.25) == "\N{MINUS SIGN}0.250"
    assert METRICS["mse"].written(12345.6) == "12,346"
    assert metric.span(Measure(0.5, 0.4, 0.61)) == "0.400 to 0.610"
    assert metric.span(Measure(0.5, 0.5, 0.5)) == ""
