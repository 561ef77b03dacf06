"""A model learns a law that is known, is judged honestly, and is the same after it was saved."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmrl.config import Settings
from mmrl.errors import CatalogError, InputError, NotFoundError
from mmrl.learning.blend import blend_weights, fit_learners
from mmrl.learning.evaluation.record import Evaluation, Measure
from mmrl.learning.model import TrainedModel
from mmrl.learning.registry.registry import Registry
from mmrl.learning.splits import split_samples
from mmrl.learning.targets import labelled
from mmrl.learning.task import prepare
from mmrl.learning.train import Trained, train
from mmrl.runtime.progress import Silent
from tests.support.filled_home import ENCODERS, packaged_samples
from tests.support.learning_samples import AS_OF, QUICK_TRAINING, make_samples, quick_baselines


def spearman_of(evaluation: Evaluation, model: str) -> Measure:
    measure = evaluation.models[model].metrics["spearman"]
    assert measure is not None
    return measure


def options(**train_settings: object) -> Settings:
    return Settings(threads=1, train={**QUICK_TRAINING, "bootstrap": 200, **train_settings})


def test_the_model_learns_what_the_baselines_cannot_read(trained: Trained) -> None:
    found = {
        name: spearman_of(trained.evaluation, name).value for name in trained.evaluation.models
    }
    assert found["mmrl"] > 0.8 * found["noise_ceiling"]
    assert found["network"] > 0.75 * found["noise_ceiling"]
    for name in ("subreddit_median", "metadata_boosting", "embedding_ridge", "original_mlp"):
        assert found["mmrl"] > found[name], name
    assert found["noise_ceiling"] > found["mmrl"]


def test_an_evaluation_is_plain_json_with_every_part_of_its_contract(trained: Trained) -> None:
    evaluation = json.loads(trained.evaluation.to_json())
    assert {
        *("format", "mmrl_version", "as_of", "profile", "target", "encoders", "table_versions"),
        *("splits", "models", "differences", "beats_all_baselines", "verdict", "ablation"),
        *("calibration", "training", "noise_ceiling", "removals", "settings"),
    } == set(evaluation)
    kinds = [model["kind"] for model in evaluation["models"].values()]
    assert kinds == ["model", *["part"] * 3, *["baseline"] * 7, "ceiling"]
    for model in evaluation["models"].values():
        for metric in model["metrics"].values():
            assert metric is None or metric["low"] <= metric["high"]
    assert set(evaluation["differences"]) == {
        name for name, model in evaluation["models"].items() if model["kind"] == "baseline"
    }
    assert evaluation["splits"]["leaking"] is False
    assert evaluation["table_versions"] == {"posts": 3}


def test_test_predictions_tell_the_same_story_as_the_metrics(trained: Trained) -> None:
    from scipy.stats import spearmanr

    table = trained.test_predictions
    models = trained.evaluation.models
    assert table.num_rows == trained.evaluation.splits.test.posts
    for column, model in (("q50", "mmrl"), ("network", "network"), ("boosting", "boosting")):
        found = spearmanr(table[column], table["log_score"]).statistic
        assert found == pytest.approx(spearman_of(trained.evaluation, model).value, abs=1e-6)
    inside = [
        low <= true <= high
        for low, true, high in zip(
            *(table[name].to_pylist() for name in ("q10", "log_score", "q90")), strict=True
        )
    ]
    coverage = models["mmrl"].metrics["coverage_80"]
    assert coverage is not None
    assert np.mean(inside) == pytest.approx(coverage.value)


def test_quantiles_never_cross(trained: Trained) -> None:
    said = trained.model.predict(packaged_samples(300, seed=7))
    assert (said.q10 <= said.q50).all()
    assert (said.q50 <= said.q90).all()


def test_a_loaded_model_predicts_what_the_saved_one_did(trained: Trained, tmp_path: Path) -> None:
    trained.model.save(tmp_path / "model")
    loaded = TrainedModel.load(tmp_path / "model")
    new = packaged_samples(200, seed=3, missing=0.4)
    before, after = trained.model.predict(new, ENCODERS), loaded.predict(new, ENCODERS)
    for name in ("q10", "q50", "q90"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=1e-5)
    assert loaded.encoders == {role: name for role, name in ENCODERS.items() if role != "text"}
    assert not list((tmp_path / "model").rglob("*.pkl"))


def test_a_prediction_does_not_depend_on_the_posts_beside_it(trained: Trained) -> None:
    new = packaged_samples(50, seed=5)
    whole = trained.model.predict(new).q50
    one = trained.model.predict(new.slice(17, 1)).q50
    assert one[0] == pytest.approx(whole[17], abs=1e-5)


def test_a_draft_without_author_labels_or_image_is_predicted(trained: Trained) -> None:
    from mmrl.samples.schema import AUTHOR_FEATURES, LABELS

    draft = packaged_samples(5, seed=9).drop_columns([*LABELS, "image", "visual", "caption"])
    for name in AUTHOR_FEATURES:
        at = draft.schema.get_field_index(name)
        draft = draft.set_column(at, name, pa.nulls(5, pa.float32()))
    at = draft.schema.get_field_index("subreddit")
    draft = draft.set_column(at, "subreddit", pa.array(["never heard of"] * 5))
    assert np.isfinite(trained.model.predict(draft).q50).all()


def test_a_newcomer_is_predicted_at_its_own_level(trained: Trained) -> None:
    levels = {**trained.model.levels, "newcomer": trained.model.level - 2.0}
    model = replace(trained.model, levels=levels)
    one = packaged_samples(2, seed=9)
    at = one.schema.get_field_index("subreddit")
    newcomer, unknown = (
        model.predict(one.set_column(at, "subreddit", pa.array([name] * 2)))
        for name in ("Newcomer", "never heard of")
    )
    np.testing.assert_allclose(newcomer.q50, unknown.q50 - 2.0, atol=1e-5)


def test_vectors_of_another_encoder_are_refused_by_name(trained: Trained) -> None:
    refused = re.escape(f"title: other instead of {ENCODERS['title']}")
    with pytest.raises(InputError, match=refused):
        trained.model.predict(packaged_samples(5), {**ENCODERS, "title": "other"})


@pytest.mark.slow
def test_too_few_labelled_posts_are_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"Only 60 of 60 samples .* needs 200"):
        train(make_samples(60), options(), ENCODERS, AS_OF)


def test_a_folder_without_a_model_and_a_model_of_tomorrow_are_refused(
    trained: Trained, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="mmrl train"):
        TrainedModel.load(tmp_path)
    trained.model.save(tmp_path)
    kept = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**kept, "format": 99}))
    with pytest.raises(CatalogError, match="newer mmrl"):
        TrainedModel.load(tmp_path)


def test_a_broken_file_of_a_model_is_named(trained: Trained, tmp_path: Path) -> None:
    trained.model.save(tmp_path)
    (tmp_path / "network.keras").write_bytes(b"cut off")
    with pytest.raises(CatalogError, match="can't be read"):
        TrainedModel.load(tmp_path)


def test_a_blend_leans_to_the_better_half_as_far_as_posts_show_it() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5000)
    good, bad = truth + 0.1 * rng.normal(size=5000), rng.normal(size=5000)
    both = np.stack([good, bad], axis=1)
    assert blend_weights(both, truth)[0] > 0.9
    assert blend_weights(both[:, ::-1], truth)[0] < 0.1
    assert 0.6 < blend_weights(both[:5], truth[:5])[0] < 0.9


def test_few_posts_hardly_tell_two_learners_apart() -> None:
    weights = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=5)
        weights.append(blend_weights(truth[:, None] + rng.normal(size=(5, 2)), truth)[0])
    assert 0.3 < np.quantile(weights, 0.25) < 0.5 < np.quantile(weights, 0.75) < 0.7
    assert 0.1 < min(weights) < max(weights) < 0.9


@given(
    st.integers(2, 40).flatmap(
        lambda n: st.tuples(
            arrays(float, (n, 3), elements=st.floats(-5, 5)),
            arrays(float, n, elements=st.floats(-5, 5)),
        )
    )
)
def test_weights_are_not_negative_and_add_up_to_one(posts: tuple[np.ndarray, np.ndarray]) -> None:
    weights = blend_weights(*posts)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)


def test_weights_do_not_depend_on_a_level_that_moved() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=300)
    predicted = truth[:, None] + rng.normal(size=(300, 3))
    np.testing.assert_allclose(
        blend_weights(predicted, truth + 3.0), blend_weights(predicted, truth), atol=1e-9
    )


def test_an_interrupted_training_begins_no_further_learner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[str] = []
    at_work, cancelled = Event(), Event()
    task: Any = SimpleNamespace(threads=None)

    def fit_twice(library: str, *_: object) -> None:
        begun.append(library)
        at_work.set()
        assert cancelled.wait(60)

    def interrupted(task: object) -> None:
        assert at_work.wait(60)
        raise KeyboardInterrupt

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            cancelled.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr("mmrl.learning.blend.fit_twice", fit_twice)
    monkeypatch.setattr("mmrl.learning.blend._fit_networks", interrupted)
    monkeypatch.setattr("mmrl.learning.blend.ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        fit_learners(task, Silent())
    assert begun == ["catboost"]


@pytest.mark.slow
def test_learners_fitted_side_by_side_are_those_fitted_one_after_the_other() -> None:
    samples = make_samples(300, seed=6)
    settings = options()
    split = split_samples(samples, labelled(samples, "log_score"), settings)
    task, _ = prepare(samples, split, settings, ENCODERS)
    beside = replace(task, threads=None)
    one, other = fit_learners(task, Silent()), fit_learners(beside, Silent())
    assert list(one.regressors) == list(other.regressors)
    for name in ("network", *one.regressors):
        np.testing.assert_allclose(one.validation.of(name), other.validation.of(name), atol=1e-5)


@pytest.mark.slow
def test_a_small_set_is_judged_on_earlier_blocks_too_by_what_was_known_before_each(
    tmp_path: Path,
) -> None:
    samples = make_samples(300, seed=5)
    with quick_baselines():
        one = train(samples, options(bootstrap=100), ENCODERS, AS_OF)
        several = train(samples, options(bootstrap=100, test_blocks=3), ENCODERS, AS_OF)
    splits = several.evaluation.splits
    assert len(splits.earlier_tests) == 2
    assert splits.test == one.evaluation.splits.test
    assert splits.judged_posts == 180
    assert splits.posts_of_seen_authors + splits.posts_of_unseen_authors == 180
    ends = [*splits.earlier_tests, splits.test]
    assert all(a.end < b.start for a, b in pairwise(ends))
    predicted = several.test_predictions
    assert len(set(predicted["post_id"].to_pylist())) == predicted.num_rows == 180
    # The model that is kept, and what it predicts of the newest block, are as without the others.
    newest = predicted.slice(120)
    pd.testing.assert_frame_equal(newest.to_pandas(), one.test_predictions.to_pandas())
    assert several.test_samples.equals(one.test_samples)
    assert several.model.weights == one.model.weights
    registry = Registry(tmp_path)
    registry.register(several, several.test_samples, fingerprint="several")
    assert registry.show("champion").test_posts == 180
    assert "120 test posts of earlier blocks" in registry.show("champion").summary()
    assert registry.test_predictions().num_rows == 180
    # What came later changes nothing of an earlier block.
    later = pc.greater_equal(samples["created_at"], pa.scalar(splits.test.start))
    place, score = samples.schema.get_field_index("log_score"), samples["log_score"]
    other = samples.set_column(
        place, "log_score", pc.if_else(later, pc.subtract(9.0, score), score)
    )
    with quick_baselines():
        changed = train(other, options(bootstrap=100, test_blocks=3), ENCODERS, AS_OF)
    pd.testing.assert_frame_equal(
        changed.test_predictions.slice(0, 120).to_pandas(), predicted.slice(0, 120).to_pandas()
    )
    told = several.evaluation.models["mmrl"].metrics["spearman"]
    alone = one.evaluation.models["mmrl"].metrics["spearman"]
    assert told is not None
    assert alone is not None
    assert told.high - told.low < alone.high - alone.low


@pytest.mark.slow
def test_a_community_that_is_first_met_in_the_validation_posts_is_known() -> None:
    samples = make_samples(500, seed=4)
    late = np.arange(500) >= 350
    names = np.where(late, "newcomer", samples["subreddit"].to_numpy())
    log_score = samples["log_score"].to_numpy() + 3.0 * late
    for name, values in (("subreddit", names), ("log_score", log_score)):
        at = samples.schema.get_field_index(name)
        samples = samples.set_column(at, name, pa.array(values))
    trained = train(samples, options(bootstrap=100), ENCODERS, AS_OF)
    assert "newcomer" in trained.model.encoding.spec.subreddits
    table = trained.test_predictions
    assert set(table["subreddit"].to_pylist()) == {"newcomer"}
    missed = np.median(table["log_score"].to_numpy() - table["q50"].to_numpy())
    assert missed < 2.0  # about 3 where the validation posts only choose
