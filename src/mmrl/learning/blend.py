"""The model's learners, each fitted twice, and their blend.

Unlike learners err unlike, so a weighted mean of them is better than the best of them. Weights are
not negative and add up to 1. They are those that do best on the validation posts by what the first
fits predict of them, drawn towards equal weights where such posts are few.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from mmrl import __version__
from mmrl.config import Settings
from mmrl.learning.evaluation.calibration import community_widenings
from mmrl.learning.evaluation.record import Kind
from mmrl.learning.fitting import FittedNetwork, fit_network
from mmrl.learning.inputs import Encoding
from mmrl.learning.model import NETWORK_NAME, Parts, TrainedModel
from mmrl.learning.task import Task
from mmrl.learning.trees import METADATA, Library, Posts, Trees, fit_trees
from mmrl.runtime.progress import Progress
from mmrl.times import iso

MODEL = "mmrl"  # the blend's name in an evaluation
_EVEN_POSTS = 200  # weights start equal, and this many validation posts outweigh that


@dataclass(frozen=True)
class Learner:
    """A learner of the model, and how an evaluation shows it by itself.

    Attributes:
        kind: "part", or "baseline" where it is also a model to beat.
        library: of trees; None for the network.
        modalities: those that it reads; all that there are for None.
    """

    name: str
    label: str
    kind: Kind
    library: Library | None = None
    modalities: tuple[str, ...] | None = None


LEARNERS = (
    Learner(NETWORK_NAME, "mmrl's network alone", "part"),
    Learner("boosting", "CatBoost on all inputs", "baseline", "catboost"),
    Learner("lightgbm", "LightGBM on all inputs", "baseline", "lightgbm"),
    Learner("metadata_boosting", "CatBoost on metadata", "baseline", "catboost", METADATA),
)


@dataclass
class _Fits:
    """The second fits, what the first ones predict of the validation posts, and seconds."""

    network: FittedNetwork
    validation: Parts
    trees: dict[str, Trees] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def fit_blend(
    task: Task, encoding: Encoding, settings: Settings, as_of: datetime, progress: Progress
) -> tuple[TrainedModel, dict[str, float]]:
    """Fits every learner, then how they are blended and how wide the interval is.

    Args:
        encoding: of the inputs of the second fits.
        progress: advances by one a learner.

    Returns:
        the model, and the seconds that it and each learner took, by name.
    """
    started = time.perf_counter()
    fits = _fit_networks(task)
    progress.advance(1)
    for learner in LEARNERS:
        if learner.library is not None:
            _fit_trees(learner, learner.library, task, fits)
            progress.advance(1)
    names = [learner.name for learner in LEARNERS]
    predicted = np.stack([fits.validation.of(name) for name in names], axis=1)
    weights = blend_weights(predicted, task.validation.target)
    facts = {"mmrl_version": __version__, "as_of": iso(as_of), "profile": settings.profile}
    model = TrainedModel(
        encoding,
        fits.network,
        fits.trees,
        dict(zip(names, weights.tolist(), strict=True)),
        {},
        0.0,
        settings.train.target,
        facts,
    )
    validation = task.validation
    low, _, high = model.interval(fits.validation, validation.inputs.subreddit)
    model.widening, by_number = community_widenings(
        low, high, validation.target, validation.inputs.subreddit
    )
    model.widenings = {
        task.spec.subreddits[number - 1]: value for number, value in by_number.items() if number
    }
    seconds = {MODEL: time.perf_counter() - started, **fits.seconds}
    return model, seconds


def blend_weights(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights of m learners, (m,): not negative, adding up to 1.

    Least squares on predictions and targets less their means, for a level that moves says nothing
    of the learners; then drawn towards equal weights, as if `_EVEN_POSTS` posts spoke for those.

    Args:
        predicted: (n, m) what each learner predicts of n validation posts.
        target: (n,).
    """
    from scipy.optimize import nnls

    n, m = predicted.shape
    even = np.full(m, 1.0 / m)
    weights, _ = nnls(predicted - predicted.mean(axis=0), target - target.mean())
    best = weights / weights.sum() if weights.sum() > 0 else even
    return np.asarray((n * best + _EVEN_POSTS * even) / (n + _EVEN_POSTS))


def _fit_networks(task: Task) -> _Fits:
    started = time.perf_counter()
    first = fit_network(
        task.train.inputs,
        task.train.target,
        task.validation.inputs,
        task.validation.target,
        subreddits=len(task.spec.subreddits),
        seed=task.seed,
    )
    second = fit_network(
        task.both.inputs,
        task.both.target,
        subreddits=len(task.spec_of_both.subreddits),
        seed=task.seed,
        epochs=first.epochs,
    )
    second.history = first.history
    validation = Parts(first.predict(task.validation.inputs), {})
    return _Fits(second, validation, seconds={NETWORK_NAME: time.perf_counter() - started})


def _fit_trees(learner: Learner, library: Library, task: Task, fits: _Fits) -> None:
    started = time.perf_counter()
    modalities = tuple(
        name for name in learner.modalities or task.modalities if name in task.train.inputs.values
    )
    first, second = fit_trees_twice(library, task, modalities)
    fits.validation.trees[learner.name] = first.predict(task.validation.inputs)
    fits.trees[learner.name] = second
    fits.seconds[learner.name] = time.perf_counter() - started


def fit_trees_twice(
    library: Library, task: Task, modalities: tuple[str, ...]
) -> tuple[Trees, Trees]:
    """Trees on the training posts, their rounds chosen; and on both parts, of as many rounds."""
    first = fit_trees(
        library,
        Posts(task.train.inputs, task.train.target),
        modalities,
        seed=task.seed,
        threads=task.threads,
        choose=Posts(task.validation.inputs, task.validation.target),
    )
    second = fit_trees(
        library,
        Posts(task.both.inputs, task.both.target),
        modalities,
        seed=task.seed,
        threads=task.threads,
        rounds=first.rounds,
    )
    return first, second
