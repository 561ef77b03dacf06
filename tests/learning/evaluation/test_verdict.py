"""The verdict: order, pairs and error together, and the error against the median first."""

from mmrl.learning.evaluation.evaluate import verdict
from mmrl.learning.evaluation.record import Measure, Measures

LABELS = {"subreddit_median": "Subreddit's median", "trees": "Trees", "ridge": "Ridge"}
AHEAD: Measures = {
    "spearman_within": Measure(0.10, 0.05, 0.15),
    "pair_accuracy": Measure(0.05, 0.01, 0.09),
    "rmse_log": Measure(-0.10, -0.15, -0.05),  # a smaller error
}


def compared(**changes: Measures) -> dict[str, Measures]:
    return {name: {**AHEAD, **changes.get(name, {})} for name in LABELS}


def test_a_clear_lead_names_all_that_it_is_a_lead_by() -> None:
    beats, sentence = verdict(compared(), LABELS)
    assert beats
    for by in ("order within a subreddit", "picking the better of two posts", "error in log units"):
        assert by in sentence
    assert "no lead is likely to be chance" in sentence


def test_a_model_that_orders_well_and_errs_more_does_not_beat_the_baseline() -> None:
    beats, sentence = verdict(compared(trees={"rmse_log": Measure(0.02, -0.01, 0.05)}), LABELS)
    assert not beats
    assert "no better than Trees by error in log units" in sentence


def test_an_error_larger_than_the_medians_comes_first() -> None:
    worse: Measures = {"rmse_log": Measure(0.07, 0.01, 0.12)}
    beats, sentence = verdict(compared(subreddit_median=worse), LABELS)
    assert not beats
    assert sentence.startswith("The model's error is larger than that of the subreddit's median")


def test_a_lead_that_may_be_chance_is_named_with_its_metric() -> None:
    close: Measures = {"spearman_within": Measure(0.01, -0.02, 0.04)}
    beats, sentence = verdict(compared(ridge=close), LABELS)
    assert beats
    assert "its lead over Ridge by order within a subreddit may be chance" in sentence


def test_what_the_test_posts_do_not_allow_is_not_claimed() -> None:
    order_alone = {name: {**AHEAD, "pair_accuracy": None, "rmse_log": None} for name in LABELS}
    beats, sentence = verdict(order_alone, LABELS)
    assert beats
    assert "pair" not in sentence
    assert "error" not in sentence
    assert verdict({name: {} for name in LABELS}, LABELS)[0] is False
