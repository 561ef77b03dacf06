"""Baselines: what a model must beat, on the same split and the same target.

Each is an entry of `BASELINES`. Like the model's learners it is fitted on the training posts, may
choose on the validation posts, is fitted again on both, and predicts the test posts. More of them,
boosted trees, are learners of the model itself: see `mmrl.learning.blend`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.catalog.columns import SPACES
from mmrl.learning.inputs import FeatureSpec, vectors_of
from mmrl.learning.learners.trees import METADATA
from mmrl.learning.targets import column
from mmrl.learning.task import Part, Task
from mmrl.runtime.extensions import extensions
from mmrl.samples.extras import text_columns

_RIDGE_PENALTIES = (1.0, 10.0, 100.0, 1000.0)  # of standardised embeddings
_DRAWN_POSTS = 3.0  # an author's mean lift counts as if so many posts of no lift were there
_MLP_EPOCHS, _MLP_PATIENCE = 12, 2
_PREDICT_ROWS = 8192


@dataclass(frozen=True)
class Baseline:
    """A baseline: a name for keys, a label for people, and what fits it and predicts test posts."""

    name: str
    label: str
    predict: Callable[[Task], np.ndarray]


def subreddit_median(task: Task) -> np.ndarray:
    """The median of the subreddit's earlier posts; of all of them for an unknown subreddit."""
    numbers, target = task.both.inputs.subreddit, task.both.target
    medians = {number: np.median(target[numbers == number]) for number in np.unique(numbers)}
    overall = np.median(target)
    return np.array([medians.get(number, overall) for number in task.test.inputs.subreddit])


def recent_means(task: Task) -> np.ndarray:
    """Least squares on two means: of the subreddit's last 90 days, and by how much the author's
    posts before stood above their subreddits' means, drawn to 0 where they are few."""
    values = _means(task.both.samples)
    weights, *_ = np.linalg.lstsq(values, task.both.target, rcond=None)
    return np.asarray(_means(task.test.samples) @ weights)


def _means(samples: pa.Table) -> np.ndarray:
    """(n, 4): the two means, 0 where unknown; a 1 where the subreddit's is unknown; and a 1."""
    level = column(samples, "subreddit_90_days_mean")
    posts = np.expm1(column(samples, "log_author_posts"))
    lift = column(samples, "author_mean_lift") * posts / (posts + _DRAWN_POSTS)
    unknown = np.isnan(level)
    parts = [np.where(unknown, 0.0, level), np.nan_to_num(lift), unknown, np.ones(len(level))]
    return np.stack(parts, axis=1)


def embedding_ridge(task: Task) -> np.ndarray:
    """Ridge regression on all embeddings as they are, standardised, missing ones at their mean.

    The penalty is the best of a few on the validation posts.
    """
    train, scale = _embeddings(task.train.samples, None)
    if train.shape[1] == 0:
        return np.full(len(task.test.target), task.both.target.mean())
    validation, _ = _embeddings(task.validation.samples, scale)
    mean = task.train.target.mean()
    errors = [
        float(np.mean((validation @ weights + mean - task.validation.target) ** 2))
        for weights in _ridge(train, task.train.target - mean, _RIDGE_PENALTIES)
    ]
    penalty = _RIDGE_PENALTIES[int(np.argmin(errors))]
    both, scale = _embeddings(task.both.samples, None)
    test, _ = _embeddings(task.test.samples, scale)
    mean = task.both.target.mean()
    (weights,) = _ridge(both, task.both.target - mean, (penalty,))
    return np.asarray(test @ weights + mean, dtype=np.float64)


def _ridge(
    values: np.ndarray, target: np.ndarray, penalties: Sequence[float]
) -> Iterator[np.ndarray]:
    """The weights of ridge regression at each penalty."""
    wide = values.shape[1] > len(values)
    gram = (values @ values.T if wide else values.T @ values).astype(np.float64)
    for penalty in penalties:
        held = gram + penalty * np.eye(len(gram))
        if wide:  # the dual: as many unknowns as posts
            yield values.T @ np.linalg.solve(held, target)
        else:
            yield np.linalg.solve(held, values.T @ target)


def original_mlp(task: Task) -> np.ndarray:
    """The original system's network: 2048-512-256-128, BatchNorm, ReLU, L2 of 2e-4, mean squared
    error, Adam, on all embeddings and metadata joined.

    Its learning rate is constant here: the original multiplied it by 0.4 at every step, which
    leaves nothing to learn with after a dozen steps.
    """
    from mmrl.learning.learners.keras_backend import load_keras, make_deterministic

    keras = load_keras(task.threads)
    train, scale = _all_inputs(task.train, task.spec, None)
    validation, _ = _all_inputs(task.validation, task.spec, scale)
    mean, deviation = task.train.target.mean(), task.train.target.std() or 1.0
    held_out = (validation, (task.validation.target - mean) / deviation)
    stop = keras.callbacks.EarlyStopping(patience=_MLP_PATIENCE)
    make_deterministic(task.seed)
    history = _fit_mlp(
        keras, train, (task.train.target - mean) / deviation, _MLP_EPOCHS, held_out, [stop]
    )[1]
    epochs = int(np.argmin(history["val_loss"])) + 1

    both, scale = _all_inputs(task.both, task.spec_of_both, None)
    test, _ = _all_inputs(task.test, task.spec_of_both, scale)
    mean, deviation = task.both.target.mean(), task.both.target.std() or 1.0
    make_deterministic(task.seed)
    model, _ = _fit_mlp(keras, both, (task.both.target - mean) / deviation, epochs)
    predicted = [
        np.asarray(model(test[start : start + _PREDICT_ROWS], training=False))[:, 0]
        for start in range(0, len(test), _PREDICT_ROWS)
    ]
    return np.concatenate(predicted).astype(np.float64) * deviation + mean


def _fit_mlp(
    keras: Any,
    values: np.ndarray,
    target: np.ndarray,
    epochs: int,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    callbacks: Sequence[Any] = (),
) -> tuple[Any, dict[str, list[float]]]:
    layers = keras.layers
    penalty = keras.regularizers.L2(2e-4)
    model = keras.Sequential([keras.Input((values.shape[1],))])
    for width in (2048, 512, 256, 128):
        model.add(layers.Dense(width, kernel_regularizer=penalty))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    model.add(layers.Dense(1))
    model.compile(keras.optimizers.Adam(1e-3), "mse", steps_per_execution=8)
    fitted = model.fit(
        values,
        target,
        batch_size=128 if len(values) < 5_000 else 512,
        epochs=epochs,
        validation_data=validation,
        callbacks=list(callbacks),
        verbose=0,
    )
    return model, fitted.history


BASELINES = (
    Baseline("subreddit_median", "Subreddit's median", subreddit_median),
    Baseline("recent_means", "Recent means of subreddit and author", recent_means),
    Baseline("embedding_ridge", "Ridge on embeddings", embedding_ridge),
    Baseline("original_mlp", "The original's MLP", original_mlp),
    *(baseline for _, baseline in extensions("baselines")),
)


def _embeddings(
    samples: pa.Table, scale: list[tuple[np.ndarray, np.ndarray]] | None
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """All vectors side by side, standardised by the scale given or by their own, and that scale."""
    names = samples.schema.names
    spaces = [*(space for space in SPACES if space in names), *text_columns(names)]
    parts, scales = [], []
    for number, space in enumerate(spaces):
        vectors, there = vectors_of(samples, space)
        if scale is None:
            known = vectors[there] if there.any() else vectors
            scales.append((known.mean(axis=0), known.std(axis=0) + 1e-6))
        else:
            scales.append(scale[number])
        mean, deviation = scales[-1]
        parts.append(np.where(there[:, None], (vectors - mean) / deviation, np.float32(0)))
    if not parts:
        return np.zeros((samples.num_rows, 0), np.float32), scales
    return np.concatenate(parts, axis=1), scales


def _all_inputs(
    part: Part, spec: FeatureSpec, scale: list[tuple[np.ndarray, np.ndarray]] | None
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Embeddings as of `_embeddings`, metadata and the subreddit, side by side."""
    vectors, scale = _embeddings(part.samples, scale)
    hot: Any = np.eye(len(spec.subreddits) + 1, dtype=np.float32)[part.inputs.subreddit]
    numbers = [part.inputs.values[name] for name in METADATA if name in part.inputs.values]
    return np.concatenate([vectors, *numbers, hot], axis=1), scale
