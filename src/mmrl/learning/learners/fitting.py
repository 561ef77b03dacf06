"""Trains the network's members together, and predicts with them.

An epoch is one call of a TensorFlow graph with its loop inside: the members are so small that
Python would take longer than the arithmetic.
"""

from collections.abc import Callable, Mapping
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
    def of(cls, posts: int, most: int = _EPOCHS) -> Self:
        """Fewer epochs for many posts, of which each has more steps; at most so many."""
        epochs = min(most, max(_LEAST_EPOCHS, _EPOCHS * _FEW_POSTS // posts))
        return cls(epochs, patience=round(_PATIENCE * epochs))


@dataclass
class FittedNetwork:
    """A trained network with the scale of its target.

    Attributes:
        model: Keras'; None where only the forward pass was loaded, or its trainer trained on.
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
        """Writes `network.keras`, and `network.npz` for predictions without Keras.

        Raises:
            ValueError: its Keras model is not here: it was loaded without, or trained further.
        """
        if self.model is None:
            raise ValueError("there is no Keras model to save")
        self.model.save(folder / KERAS_FILE)
        self.forward.save(folder)

    def predict(self, inputs: Inputs) -> np.ndarray:
        """The mean of the members, (n, 4)."""
        return np.asarray(self.predict_members(inputs).mean(axis=1))


class NetworkTrainer:
    """Trains a network, as often as asked: each time from the same first weights and draws.

    Its graph is made once, which takes longer than many a training of a few hundred posts.

    Args:
        widths: by modality, how many numbers a post has of it.
        subreddits: how many are known.
        reading: what each member reads; everything by default.
        teams: (members,) a number a member; each team keeps the epoch at which the mean of its
            own members did best. One team by default.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        subreddits: int,
        seed: int,
        *,
        shape: NetworkShape | None = None,
        reading: Reading | None = None,
        teams: np.ndarray | None = None,
    ) -> None:
        from mmrl.learning.learners.keras_backend import make_deterministic

        shape = shape or NetworkShape()
        self._seed = seed
        self._reading = reading or Reading.everything(widths, shape.members)
        self._teams = np.zeros(shape.members, int) if teams is None else teams
        make_deterministic(seed)
        self._model = build(widths, subreddits, shape, seed)
        self._graphs = _Graphs(self._model, self._reading, shape.decay)
        self._last: FittedNetwork | None = None

    def fit(
        self,
        train: Inputs,
        target: np.ndarray,
        validation: tuple[Inputs, np.ndarray] | None = None,
        *,
        epochs: int | None = None,
        schedule: Schedule | None = None,
    ) -> FittedNetwork:
        """Trains until the validation posts stop getting better, or for so many epochs.

        What an earlier call returned keeps its predictions, and gives away its Keras model.

        Args:
            validation: posts on which to choose the epoch that is kept, and their target; with
                `epochs`, none are needed.
            epochs: exactly so many; the learning rate falls as it did in the fit that chose them,
                if the schedule is the same.
            schedule: that for so many training posts by default.
        """
        schedule = schedule or Schedule.of(len(train))
        mean, deviation = float(target.mean()), float(target.std()) or 1.0
        batch = min(schedule.batch, max(16, len(train) // 8), len(train))
        steps = len(train) // batch  # what is left over waits for the next shuffle
        rate = (schedule.rate, steps * schedule.epochs)
        if self._last is not None:
            self._last.model = None
        run_epoch = self._graphs.begin(arrays(train), _scaled(target, mean, deviation), rate)
        best = None
        if validation is not None:
            posts, truth = validation
            best, held_out = _Best(self._model, self._teams), _tensors(arrays(posts))
        rng = np.random.default_rng(self._seed)
        history: dict[str, list[float]] = {"loss": [], "validation_loss": []}
        for _ in range(epochs or schedule.epochs):
            order = rng.permutation(len(train))[: steps * batch].reshape(steps, batch)
            history["loss"].append(run_epoch(order))
            if best is None:
                continue
            by_team = best.update(
                self._graphs.predict(held_out), lambda each: _loss(truth, each, mean, deviation)
            )
            history["validation_loss"].append(float(np.mean(by_team)))
            if best.since >= schedule.patience:
                break
        trained = len(history["loss"])
        if best is not None:
            best.restore()
            trained = int(np.argmin(history["validation_loss"])) + 1
        facts: dict[str, Any] = {"history": history, "epochs": trained}
        self._last = FittedNetwork.of(self._model, self._reading, mean, deviation, **facts)
        return self._last


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


class _Graphs:
    """TensorFlow's graphs of an epoch and of a prediction, for any number of posts."""

    def __init__(self, model: Any, reading: Reading, decay: float) -> None:
        import tensorflow as tf

        from mmrl.learning.learners.layers import keras

        variables = model.trainable_variables
        inputs = {"subreddit": tf.TensorSpec([None], tf.int32)}
        for name, columns in reading.columns.items():
            inputs[name] = tf.TensorSpec([None, columns.shape[1]], tf.float32)
            inputs[f"has_{name}"] = tf.TensorSpec([None], tf.float32)
        number, numbers = (tf.TensorSpec(shape, tf.float32) for shape in ([], [None]))
        rows = tf.TensorSpec([None, None], tf.int32)
        optimizer = keras.optimizers.AdamW(weight_decay=decay)
        optimizer.build(variables)

        @tf.function(input_signature=[inputs, numbers, rows, number, number])
        def epoch(inputs: Any, targets: Any, order: Any, highest: Any, decay_steps: Any) -> Any:
            total, steps = tf.zeros(()), tf.shape(order)[0]
            for step in tf.range(steps):
                # Half a cosine (Loshchilov and Hutter 2017).
                done = tf.cast(optimizer.iterations.value, tf.float32) / decay_steps
                cosine = tf.cos(np.pi * tf.minimum(done, 1.0))
                optimizer.learning_rate.assign(highest * 0.5 * (1.0 + cosine))
                drawn = order[step]
                batch = {name: tf.gather(values, drawn) for name, values in inputs.items()}
                with tf.GradientTape() as tape:
                    predicted = model(spread(batch, reading), training=True)
                    each = tf.reduce_mean(losses(tf.gather(targets, drawn), predicted), axis=0)
                    # A sum: each member's gradient is what it would be alone.
                    loss = tf.reduce_sum(each)
                optimizer.apply(tape.gradient(loss, variables), variables)
                total += tf.reduce_mean(each)
            return total / tf.cast(steps, tf.float32)

        @tf.function(input_signature=[inputs])
        def predict(inputs: Any) -> Any:
            return model(spread(inputs, reading), training=False)

        self._state = [*model.variables, *optimizer.variables]
        self._first = [keras.ops.convert_to_numpy(variable) for variable in self._state]
        self._epoch, self._predict = epoch, predict

    def begin(
        self, inputs: dict[str, np.ndarray], target: np.ndarray, rate: tuple[float, int]
    ) -> Callable[[np.ndarray], float]:
        """Puts weights, optimizer and draws back, and gives what trains for an epoch.

        Args:
            rate: the highest learning rate, and the steps over which it falls.

        Returns:
            a function from (steps, batch) numbers of posts to the epoch's mean loss.
        """
        import tensorflow as tf

        for variable, value in zip(self._state, self._first, strict=True):
            variable.assign(value)
        held = _tensors(inputs)
        facts = tf.constant(target), tf.constant(rate[0]), tf.constant(float(rate[1]))

        def run(order: np.ndarray) -> float:
            target, highest, steps = facts
            rows = tf.constant(order.astype(np.int32))
            return float(self._epoch(held, target, rows, highest, steps).numpy())

        return run

    def predict(self, held: dict[str, Any]) -> np.ndarray:
        """(n, members, 4) in standard deviations, of tensors."""
        return np.asarray(self._predict(held).numpy(), dtype=np.float64)


def _tensors(inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    import tensorflow as tf

    return {name: tf.constant(values) for name, values in inputs.items()}


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
