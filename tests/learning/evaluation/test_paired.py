"""Models compared on the same posts."""

import numpy as np
import pyarrow as pa
import pytest

from mmrl.errors import InputError
from mmrl.learning.evaluation.judge import judge
from mmrl.learning.evaluation.paired import compare_versions, mean_of, predicted
from tests.support.report_factory import make_predictions

TESTS = make_predictions(200)


def with_noise(table: pa.Table, size: float) -> pa.Table:
    noise = np.random.default_rng(1).normal(size=table.num_rows) * size
    place = table.schema.get_field_index("q50")
    return table.set_column(place, "q50", pa.array(table["q50"].to_numpy() + noise))


def test_versions_are_compared_on_the_posts_that_they_share_whatever_their_order() -> None:
    worse = with_noise(TESTS, 2.0).slice(50).take(list(range(149, -1, -1)))
    targets = {"1": "log_score", "2": "log_score"}
    paired = compare_versions({"1": TESTS, "2": worse}, targets, 200, 0)
    assert paired.posts == 150
    lead = paired.differences["2"]["spearman"]
    assert lead is not None
    one, other = (paired.metrics[name]["spearman"] for name in ("1", "2"))
    assert one is not None
    assert other is not None
    assert lead.value == pytest.approx(other.value - one.value)
    assert lead.high < 0  # so much noise is no chance
    alike = compare_versions({"1": TESTS, "2": TESTS}, targets, 50, 0).differences["2"]["rmse_log"]
    assert alike is not None
    assert (alike.value, alike.low, alike.high) == (0, 0, 0)


def test_versions_without_shared_posts_are_refused() -> None:
    parts = {"1": TESTS.slice(0, 50), "2": TESTS.slice(50)}
    with pytest.raises(InputError, match="share 0 test posts"):
        compare_versions(parts, dict.fromkeys(parts, "log_score"), 50, 0)


def test_a_model_of_percentiles_is_compared_by_order_alone() -> None:
    paired = compare_versions(
        {"1": TESTS, "2": TESTS}, {"1": "log_score", "2": "percentile"}, 50, 0
    )
    assert paired.differences["2"].get("rmse_log") is None
    same = paired.differences["2"]["spearman"]
    assert same is not None
    assert same.value == 0


def test_the_mean_over_seeds_is_narrower_than_one_and_unknown_where_one_is() -> None:
    from mmrl.learning.evaluation.evaluate import truth_of

    truth = truth_of(TESTS)
    runs = [
        judge(truth, predicted(with_noise(TESTS, size), "q50", "log_score"), 100, 0)
        for size in (0.1, 0.2)
    ]
    mean = mean_of(runs).metrics["spearman"]
    values = [run.metrics["spearman"].value for run in runs]  # type: ignore[union-attr]
    assert mean is not None
    assert mean.value == pytest.approx(np.mean(values))
    assert mean.low < mean.value < mean.high
    runs[0].metrics["spearman"] = None
    assert mean_of(runs).metrics["spearman"] is None
