"""Baselines: what a model must beat, on the same split and the same target.

Each is an entry of `BASELINES`. It is fitted on the training posts, may look at the validation
posts to stop or to choose, and predicts the test posts. One more, boosted trees on everything, is a
learner of the model itself; see `mmrl.learning.blend`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.catalog.tables import SPACES
from mmrl.learning.inputs import FeatureSpec, Inputs, vectors_of
from mmrl.learning.task import Task
from mmrl.learning.trees import fit_trees, predict_trees

_RIDGE_PENALTIES = (1.0, 10.0, 100.0, 1000.0)  # of standardised embeddings
_MLP_EPOCHS, _MLP_PATIENCE = 15, 4
_PREDICT_ROWS = 8192


@dataclass(frozen=True)
class Baseline:
    """A baseline: a name for keys, a label for people, and what fits it and predicts test posts."""

    name: str
    label: str
    predict: Callable[[Task], np.ndarray]


def subreddit_median(task: Task) -> np.ndarray:
    """The median of the subreddit's training posts; of all of them for an unknown subreddit."""
    numbers, target = task.train.inputs.subreddit, task.train.target
    medians = {number: np.median(target[numbers == number]) for number in np.unique(numbers)}
    overall = np.median(target)
    return np.array([medians.get(number, overall) for number in task.test.inputs.subreddit])


def metadata_boosting(task: Task) -> np.ndarray:
    """Gradient boosted trees on the metadata of post and author; no embedding."""
    return _boosted(task, ("post", "author"))


def embedding_ridge(task: Task) -> np.ndarray:
    """Ridge regression on all embeddings as they are, standardised, missing ones at their mean.

    The penalty is the best of a few on the validation posts.
    """
    train, scale = _embeddings(task.train.samples, None)
    if train.shape[1] == 0:
        return np.full(len(task.test.target), task.train.target.mean())
    validation, _ = _embeddings(task.validation.samples, scale)
    test, _ = _embeddings(task.test.samples, scale)
    mean = task.train.target.mean()
    target = task.train.target - mean
    wide = train.shape[1] > len(train)
    gram = (train @ train.T if wide else train.T @ train).astype(np.float64)
    best, best_error = np.zeros(train.shape[1]), np.inf
    for penalty in _RIDGE_PENALTIES:
        held = gram + penalty * np.eye(len(gram))
        if wide:  # the dual: as many unknowns as posts
            weights = train.T @ np.linalg.solve(held, target)
        else:
            weights = np.linalg.solve(held, train.T @ target)
        error = float(np.mean((validation @ weights + mean - task.validation.target) ** 2))
        if error < best_error:
            best, best_error = weights, error
    return np.asarray(test @ best + mean, dtype=np.float64)


def original_mlp(task: Task) -> np.ndarray:
    """The original system's network: 2048-512-256-128, BatchNorm, ReLU, L2 of 2e-4, mean squared
    error, Adam, on all embeddings and metadata joined.

    Its learning rate is constant here: the original multiplied it by 0.4 at every step, which
    leaves nothing to learn with after a dozen steps.
    """
    from mmrl.learning.keras_backend import load_keras, make_deterministic

    keras = load_keras(task.threads)
    make_deterministic(task.seed)
    layers = keras.layers
    scale: list[tuple[np.ndarray, np.ndarray]] | None = None
    matrices = []
    for part in (task.train, task.validation, task.test):
        vectors, scale = _embeddings(part.samples, scale)
        matrices.append(np.concatenate([vectors, _metadata(part.inputs, task.spec)], axis=1))
    train, validation, test = matrices
    penalty = keras.regularizers.L2(2e-4)
    model = keras.Sequential([keras.Input((train.shape[1],))])
    for width in (2048, 512, 256, 128):
        model.add(layers.Dense(width, kernel_regularizer=penalty))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    model.add(layers.Dense(1))
    batch = 64 if len(train) < 20_000 else 256
    model.compile(keras.optimizers.Adam(1e-3), "mse", steps_per_execution=8)
    mean, deviation = task.train.target.mean(), task.train.target.std() or 1.0
    model.fit(
        train,
        (task.train.target - mean) / deviation,
        batch_size=batch,
        epochs=_MLP_EPOCHS,
        validation_data=(validation, (task.validation.target - mean) / deviation),
        callbacks=[
            keras.callbacks.EarlyStopping(patience=_MLP_PATIENCE, restore_best_weights=True)
        ],
        verbose=0,
    )
    predicted = [
        np.asarray(model(test[start : start + _PREDICT_ROWS], training=False))[:, 0]
        for start in range(0, len(test), _PREDICT_ROWS)
    ]
    return np.concatenate(predicted).astype(np.float64) * deviation + mean


BASELINES = (
    Baseline("subreddit_median", "Subreddit's median", subreddit_median),
    Baseline("metadata_boosting", "Boosted trees, metadata only", metadata_boosting),
    Baseline("embedding_ridge", "Ridge on embeddings", embedding_ridge),
    Baseline("original_mlp", "The original's MLP", original_mlp),
)


def _boosted(task: Task, modalities: tuple[str, ...]) -> np.ndarray:
    model = fit_trees(
        task.train.inputs,
        task.train.target,
        task.validation.inputs,
        task.validation.target,
        modalities,
        seed=task.seed,
        threads=task.threads,
    )
    return predict_trees(model, task.test.inputs, modalities)


def _embeddings(
    samples: pa.Table, scale: list[tuple[np.ndarray, np.ndarray]] | None
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """All vectors side by side, standardised by the scale given or by their own, and that scale."""
    spaces = [space for space in SPACES if space in samples.schema.names]
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


def _metadata(inputs: Inputs, spec: FeatureSpec) -> np.ndarray:
    hot: Any = np.eye(len(spec.subreddits) + 1, dtype=np.float32)[inputs.subreddit]
    return np.concatenate([inputs.values["post"], inputs.values["author"], hot], axis=1)
