"""The network's training: what a trainer gives again, and what teams and schedules keep apart."""

import numpy as np
import pytest

from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.fitting import NetworkTrainer, Schedule
from mmrl.learning.learners.network import NetworkShape

pytestmark = pytest.mark.slow
WIDTHS = {"title": 4, "post": 3}
SHAPE = NetworkShape(members=2, tower=4, rank=2)
SHORT = Schedule(epochs=4, patience=4)


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
    fresh = trainer().fit(train, target, validation, truth, schedule=SHORT)
    used = trainer()
    used.fit(*posts(130, 2), epochs=3, schedule=SHORT)
    again = used.fit(train, target, validation, truth, schedule=SHORT)
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
    fitted = trainer().fit(train, target, validation, truth, schedule=schedule)
    assert np.corrcoef(fitted.predict(validation)[:, 0], truth)[0, 1] > 0.8
