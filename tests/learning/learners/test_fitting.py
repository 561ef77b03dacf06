"""The network's training: what a trainer gives again, and what teams keep apart."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.fitting import NetworkTrainer, Schedule, _Best
from mmrl.learning.learners.forward import ForwardPass
from mmrl.learning.learners.layers import MemberDropout, keras
from mmrl.learning.learners.network import NetworkShape, arrays

pytestmark = pytest.mark.slow
WIDTHS = {"title": 4, "post": 3}
SHAPE = NetworkShape(members=2, tower=4, rank=2)
SHORT = Schedule(epochs=4, patience=4)


def test_dropout_is_whole_for_few_posts_and_its_odds_fall_as_posts_grow() -> None:
    whole = NetworkShape()
    assert NetworkShape.of(200) == NetworkShape.of(2_000) == whole
    assert NetworkShape.of(200, members=30) == NetworkShape(members=30)
    for posts in (4_000, 20_000, 100_000):
        shape = NetworkShape.of(posts)
        for rate, full in (
            (shape.input_dropout, whole.input_dropout),
            (shape.dropout, whole.dropout),
        ):
            odds, of_few = rate / (1 - rate), full / (1 - full)
            np.testing.assert_allclose(odds * posts, of_few * 2_000)
        assert shape.modality_dropout == whole.modality_dropout


def posts(count: int, seed: int) -> tuple[Inputs, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = {
        name: rng.normal(size=(count, width)).astype(np.float32) for name, width in WIDTHS.items()
    }
    present = {name: np.ones(count, np.float32) for name in WIDTHS}
    subreddit = rng.integers(0, 3, count).astype(np.int32)
    target = values["title"][:, 0] + 0.1 * rng.normal(size=count)
    return Inputs(values, present, subreddit), target


def trainer() -> NetworkTrainer:
    return NetworkTrainer(WIDTHS, 2, seed=1, shape=SHAPE)


def test_a_training_is_the_same_whatever_its_trainer_trained_before() -> None:
    (train, target), (validation, truth) = posts(200, 0), posts(50, 1)
    fresh = trainer().fit(train, target, (validation, truth), schedule=SHORT)
    used = trainer()
    used.fit(*posts(130, 2), epochs=3, schedule=SHORT)
    again = used.fit(train, target, (validation, truth), schedule=SHORT)
    assert again.history == fresh.history
    assert np.array_equal(again.predict(validation), fresh.predict(validation))


def test_what_a_trainer_gave_keeps_its_predictions_when_it_trains_on() -> None:
    validation, _ = posts(50, 1)
    used = trainer()
    first = used.fit(*posts(200, 0), epochs=4, schedule=SHORT)
    before = first.predict(validation)
    second = used.fit(*posts(130, 2), epochs=2, schedule=SHORT)
    assert np.array_equal(first.predict(validation), before)
    assert not np.allclose(second.predict(validation), before)


def test_it_learns_what_there_is_to_learn() -> None:
    (train, target), (validation, truth) = posts(600, 0), posts(100, 1)
    schedule = Schedule(epochs=40, patience=40)
    fitted = trainer().fit(train, target, (validation, truth), schedule=schedule)
    assert np.corrcoef(fitted.predict(validation)[:, 0], truth)[0, 1] > 0.8


def test_a_handful_of_posts_is_learned_from() -> None:
    train, target = posts(10, 0)
    fitted = trainer().fit(train, target, posts(5, 1), schedule=SHORT)
    assert np.isfinite(fitted.history["loss"]).all()
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]


def test_the_learning_rate_stays_down_after_its_schedule() -> None:
    validation, _ = posts(50, 1)
    used = trainer()
    ended, longer = (
        used.fit(*posts(200, 0), epochs=epochs, schedule=SHORT).predict(validation)
        for epochs in (4, 8)
    )
    assert np.allclose(ended, longer, atol=1e-3)


def test_each_team_keeps_the_weights_of_its_own_best_epoch() -> None:
    weight = keras.Variable(np.zeros((3, 1), np.float32))
    best = _Best(SimpleNamespace(trainable_variables=[weight]), np.array([0, 0, 1]))
    for epoch, losses in enumerate(([0.9, 0.7, 0.3], [0.2, 0.4, 0.5], [0.8, 0.8, 0.4]), start=1):
        weight.assign(np.full((3, 1), epoch, np.float32))
        best.update(np.array([losses]), lambda each: float(each.mean()))
    assert best.since == 1
    best.restore()
    assert np.asarray(weight).ravel().tolist() == [2, 2, 1]


def test_a_network_that_was_trained_further_is_not_saved(tmp_path: Path) -> None:
    used = trainer()
    first = used.fit(*posts(200, 0), epochs=1, schedule=SHORT)
    second = used.fit(*posts(130, 2), epochs=1, schedule=SHORT)
    with pytest.raises(ValueError, match="no Keras model"):
        first.save(tmp_path)
    second.save(tmp_path)
    kept = ForwardPass.load(tmp_path)
    validation, _ = posts(50, 1)
    read = kept(arrays(validation), second.reading).mean(axis=1)
    assert np.allclose(read * second.deviation + second.mean, second.predict(validation), atol=1e-5)


def test_dropout_draws_as_keras_does_with_the_batch_first() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    ours = MemberDropout(0.4, seed=7)(values, training=True)
    keras_own = keras.layers.Dropout(0.4, seed=7)(values.swapaxes(0, 1), training=True)
    assert np.array_equal(np.asarray(ours), np.asarray(keras_own).swapaxes(0, 1))
