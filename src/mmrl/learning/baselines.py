"""Baselines: what a model must beat, on the same split and the same target.

Each is an entry of `OWN_BASELINES`; packages may offer more. Like the model's learners it is fitted
on the training posts, may choose on the validation posts, is fitted again as these are, and
predicts the test posts. More of them, boosted trees, are learners of the model itself: see
`mmrl.learning.blend`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.catalog.columns import SPACES
from mmrl.learning.inputs import TEXTS, Inputs
from mmrl.learning.learners.trees import METADATA, fit_trees
from mmrl.learning.targets import column
from mmrl.learning.task import Part, Task
from mmrl.samples.features import microseconds

_RIDGE_PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
_DRAWN_POSTS = 3.0  # an author's mean lift counts as if so many posts of no lift were there
_MLP_EPOCHS, _MLP_PATIENCE = 12, 2
_MLP_POSTS = 20_000
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
    """Ridge regression on the components of all embeddings, missing ones at their mean.

    The penalty is the best of a few on the validation posts.
    """
    embeddings = [name for name in (*SPACES, TEXTS) if name in task.modalities]
    if not embeddings:
        return np.full(len(task.test.target), task.both.target.mean())
    train, validation, both, test = (
        _side_by_side(part.inputs, embeddings)
        for part in (task.train, task.validation, task.both, task.test)
    )
    mean = task.train.target.mean()
    errors = [
        float(np.mean((validation @ weights + mean - task.validation.target) ** 2))
        for weights in _ridge(train, task.train.target - mean, _RIDGE_PENALTIES)
    ]
    penalty = _RIDGE_PENALTIES[int(np.argmin(errors))]
    mean = task.both.target.mean()
    (weights,) = _ridge(both, task.both.target - mean, (penalty,))
    return np.asarray(test @ weights + mean, dtype=np.float64)


def _ridge(
    values: np.ndarray, target: np.ndarray, penalties: Sequence[float]
) -> Iterator[np.ndarray]:
    """The weights of ridge regression at each penalty."""
    gram = (values.T @ values).astype(np.float64)
    for penalty in penalties:
        yield np.linalg.solve(gram + penalty * np.eye(len(gram)), values.T @ target)


def metadata_boosting(task: Task) -> np.ndarray:
    """CatBoost on metadata and extra features, no embedding. It need not be fitted twice: it
    chooses nothing on the validation posts."""
    modalities = tuple(name for name in METADATA if name in task.modalities)
    trees = fit_trees("catboost", task.both, modalities, seed=task.seed, threads=task.threads)
    return trees.predict(task.test.inputs)


def original_mlp(task: Task) -> np.ndarray:
    """The original system's network: 2048-512-256-128, BatchNorm, ReLU, L2 of 2e-4, mean squared
    error, Adam, on the embeddings' components and metadata joined; of many posts on the newest.

    Its learning rate is constant here: the original multiplied it by 0.4 at every step, which
    leaves nothing to learn with after a dozen steps.
    """
    from mmrl.learning.learners.keras_backend import load_keras, make_deterministic

    keras = load_keras(task.threads)
    train, both = _newest(task.train), _newest(task.both)
    mean, deviation = train.target.mean(), train.target.std() or 1.0
    held_out = _joined(task.validation, task), (task.validation.target - mean) / deviation
    stop = keras.callbacks.EarlyStopping(patience=_MLP_PATIENCE)
    make_deterministic(task.seed)
    history = _fit_mlp(
        keras,
        _joined(train, task),
        (train.target - mean) / deviation,
        _MLP_EPOCHS,
        held_out,
        [stop],
    )[1]
    epochs = int(np.argmin(history["val_loss"])) + 1

    mean, deviation = both.target.mean(), both.target.std() or 1.0
    make_deterministic(task.seed)
    model, _ = _fit_mlp(keras, _joined(both, task), (both.target - mean) / deviation, epochs)
    test = task.test
    predicted = [
        np.asarray(model(_joined(test.slice(start, start + _PREDICT_ROWS), task), training=False))
        for start in range(0, len(test.target), _PREDICT_ROWS)
    ]
    return np.concatenate(predicted)[:, 0].astype(np.float64) * deviation + mean


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
    model.compile(keras.optimizers.Adam(1e-3), "mse")
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


OWN_BASELINES = (
    Baseline("subreddit_median", "Subreddit's median", subreddit_median),
    Baseline("recent_means", "Recent means of subreddit and author", recent_means),
    Baseline("embedding_ridge", "Ridge on embeddings", embedding_ridge),
    Baseline("metadata_boosting", "CatBoost on metadata", metadata_boosting),
    Baseline("original_mlp", "The original's MLP", original_mlp),
)


def _newest(part: Part) -> Part:
    if len(part.target) <= _MLP_POSTS:
        return part
    newest = np.argsort(microseconds(part.samples["created_at"]), kind="stable")[-_MLP_POSTS:]
    rows = np.sort(newest)
    return Part(part.samples.take(pa.array(rows)), part.inputs.take(rows), part.target[rows])


def _joined(part: Part, task: Task) -> np.ndarray:
    """Embeddings' components, metadata and the subreddit, side by side."""
    names = [name for name in (*SPACES, TEXTS, *METADATA) if name in task.modalities]
    hot: Any = np.eye(len(task.spec.subreddits) + 1, dtype=np.float32)[part.inputs.subreddit]
    return np.concatenate([_side_by_side(part.inputs, names), hot], axis=1)


def _side_by_side(inputs: Inputs, modalities: Sequence[str]) -> np.ndarray:
    return np.concatenate([inputs.values[name] for name in modalities], axis=1)
