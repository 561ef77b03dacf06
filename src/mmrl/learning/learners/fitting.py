"""Trains the network's members together, and predicts with them.

An epoch is one call of a TensorFlow graph with its loop inside: the members are so small that
Python would take longer than the arithmetic.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.forward import KERAS_FILE, ForwardPass
from mmrl.learning.learners.network import NetworkShape, Reading, arrays, build, losses, spread

_PREDICT_ROWS = (
    512  # what the layers make of so many stays in the cache; 4,096 took 1.5 times the CPU
)


_EPOCHS, _LEAST_EPOCHS = 50, 15
_FEW_POSTS = 3_000
_PATIENCE = 0.3  # of all epochs


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. The learning rate falls as a half cosine over all epochs."""

    epochs: int = _EPOCHS
    patience: int = round(_PATIENCE * _EPOCHS)
    rate: float = 3e-3
    batch: int = 128

    @classmethod
    def of(cls, posts: int) -> Self:
        """Fewer epochs for many posts, of which each has more steps."""
        epochs = min(_EPOCHS, max(_LEAST_EPOCHS, _EPOCHS * _FEW_POSTS // posts))
        return cls(epochs, patience=round(_PATIENCE * epochs))


@dataclass
class FittedNetwork:
    """A trained network with the scale of its target.

    Attributes:
        model: Keras'; None where only the forward pass was loaded.
        forward: the same in NumPy, with which it predicts.
        reading: what each member reads.
        history: by epoch, the mean loss of training and validation posts.
        epochs: how many were trained up to the one that did best on the validation posts.
    """

    model: Any
    forward: ForwardPass
    reading: Reading
    mean: float
    deviation: float
    history: dict[str, list[float]] = field(default_factory=dict)
    epochs: int = 0

    @classmethod
    def of(cls, model: Any, reading: Reading, mean: float, deviation: float, **facts: Any) -> Self:
        """A network that Keras trained, or loaded."""
        forward = ForwardPass.of(model, tuple(reading.modalities))
        return cls(model, forward, reading, mean, deviation, **facts)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that it has a tower for."""
        return tuple(self.reading.modalities)

    def predict_members(self, inputs: Inputs) -> np.ndarray:
        """Location and the 10, 50, 90% quantiles of n posts by each member, (n, members, 4)."""
        encoded = arrays(inputs)
        if inputs.grid is not None:
            predicted = self.forward.of_grid(encoded, self.reading, inputs.grid, _PREDICT_ROWS)
        else:
            parts = [np.zeros((0, len(self.reading.subreddit), 4), np.float32)]
            for start in range(0, len(inputs), _PREDICT_ROWS):
                end = start + _PREDICT_ROWS
                batch = {name: values[start:end] for name, values in encoded.items()}
                parts.append(self.forward(batch, self.reading))
            predicted = np.concatenate(parts)
        return predicted.astype(np.float64) * self.deviation + self.mean

    def save(self, folder: Path) -> None:
        """Writes `network.keras`, and `network.npz` for predictions without Keras."""
        if self.model is not None:
            self.model.save(folder / KERAS_FILE)
        self.forward.save(folder)

    def predict(self, inputs: Inputs) -> np.ndarray:
        """The mean of the members, (n, 4)."""
        return np.asarray(self.predict_members(inputs).mean(axis=1))


def fit_network(
    train: Inputs,
    target: np.ndarray,
    validation: Inputs | None = None,
    validation_target: np.ndarray | None = None,
    *,
    subreddits: int,
    seed: int,
    epochs: int | None = None,
    shape: NetworkShape | None = None,
    schedule: Schedule | None = None,
    reading: Reading | None = None,
    teams: np.ndarray | None = None,
) -> FittedNetwork:
    """Trains until the validation posts stop getting better, or for so many epochs.

    Args:
        validation: posts on which to choose the epoch that is kept; with `epochs`, none are needed.
        epochs: exactly so many; the learning rate falls as it did in the fit that chose them, if
            the schedule is the same.
        schedule: that for so many training posts by default.
        reading: what each member may read; everything by default.
        teams: (members,) a number a member; each team keeps the epoch at which the mean of its
            own members did best. One team by default.
    """
    from mmrl.learning.learners.keras_backend import make_deterministic

    make_deterministic(seed)
    shape, schedule = shape or NetworkShape(), schedule or Schedule.of(len(train))
    widths = {name: values.shape[1] for name, values in train.values.items()}
    reading = reading or Reading.everything(widths, shape.members)
    teams = np.zeros(shape.members, int) if teams is None else teams
    mean, deviation = float(target.mean()), float(target.std()) or 1.0
    model = build(widths, subreddits, shape, seed)
    batch = min(schedule.batch, max(16, len(train) // 8))
    steps = len(train) // batch  # what is left over waits for the next shuffle
    run_epoch, judge = _graphs(
        model,
        reading,
        (arrays(train), _scaled(target, mean, deviation)),
        None if validation is None else arrays(validation),
        shape,
        schedule,
        steps,
    )
    rng = np.random.default_rng(seed)
    kept = _Best(model, teams)
    history: dict[str, list[float]] = {"loss": [], "validation_loss": []}
    for _ in range(epochs or schedule.epochs):
        order = rng.permutation(len(train))[: steps * batch].reshape(steps, batch)
        history["loss"].append(float(run_epoch(order.astype(np.int32))))
        if validation_target is None:
            continue
        by_team = kept.update(judge(), lambda each: _loss(validation_target, each, mean, deviation))
        history["validation_loss"].append(float(np.mean(by_team)))
        if kept.since >= schedule.patience:
            break
    if validation_target is None:
        trained = len(history["loss"])
        return FittedNetwork.of(model, reading, mean, deviation, history=history, epochs=trained)
    kept.restore()
    best = int(np.argmin(history["validation_loss"])) + 1
    return FittedNetwork.of(model, reading, mean, deviation, history=history, epochs=best)


class _Best:
    """Keeps, for each team, its members' weights at the epoch they did best."""

    def __init__(self, model: Any, teams: np.ndarray) -> None:
        self._model, self._teams = model, teams
        self._numbers = np.unique(teams)
        self._losses = np.full(len(self._numbers), np.inf)
        self._weights = [variable.numpy() for variable in model.trainable_variables]
        self.since = 0  # epochs since any team got better

    def update(self, predicted: np.ndarray, loss: Callable[[np.ndarray], float]) -> np.ndarray:
        losses = np.array(
            [loss(predicted[:, self._teams == number].mean(axis=1)) for number in self._numbers]
        )
        better = losses < self._losses
        self.since = 0 if better.any() else self.since + 1
        if better.any():
            members = np.isin(self._teams, self._numbers[better])
            now = [variable.numpy() for variable in self._model.trainable_variables]
            for kept, weight in zip(self._weights, now, strict=True):
                kept[members] = weight[members]
        self._losses = np.where(better, losses, self._losses)
        return losses

    def restore(self) -> None:
        for variable, kept in zip(self._model.trainable_variables, self._weights, strict=True):
            variable.assign(kept)


def _graphs(
    model: Any,
    reading: Reading,
    train: tuple[dict[str, np.ndarray], np.ndarray],
    validation: dict[str, np.ndarray] | None,
    shape: NetworkShape,
    schedule: Schedule,
    steps: int,
) -> tuple[Callable[[np.ndarray], Any], Callable[[], np.ndarray]]:
    import tensorflow as tf

    from mmrl.learning.learners.layers import keras

    inputs = {name: tf.constant(values) for name, values in train[0].items()}
    targets = tf.constant(train[1])
    held_out = {name: tf.constant(values) for name, values in (validation or {}).items()}
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(schedule.rate, steps * schedule.epochs),
        weight_decay=shape.decay,
    )
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function
    def epoch(order: Any) -> Any:
        total = tf.zeros(())
        for step in tf.range(steps):
            rows = order[step]
            batch = {name: tf.gather(values, rows) for name, values in inputs.items()}
            with tf.GradientTape() as tape:
                predicted = model(spread(batch, reading), training=True)
                each = tf.reduce_mean(losses(tf.gather(targets, rows), predicted), axis=0)
                # A sum: each member's gradient is what it would be alone.
                loss = tf.reduce_sum(each)
            optimizer.apply(tape.gradient(loss, variables), variables)
            total += tf.reduce_mean(each)
        return total / steps

    @tf.function
    def judge() -> Any:
        return model(spread(held_out, reading), training=False)

    return (
        lambda order: epoch(tf.constant(order)).numpy(),
        lambda: np.asarray(judge().numpy(), dtype=np.float64),
    )


def _scaled(target: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    return ((target - mean) / deviation).astype(np.float32)


def _loss(target: np.ndarray, predicted: np.ndarray, mean: float, deviation: float) -> float:
    """The mean loss of (n, 4) predictions that are still in standard deviations, less their mean
    error: a level that has moved since the training posts says nothing of how long to learn.
    """
    scaled = _scaled(target, mean, deviation)
    level = np.mean(scaled - predicted[:, 0])
    moved = (predicted + level).astype(np.float32)
    return float(np.asarray(losses(scaled, moved[:, None, :])).mean())
