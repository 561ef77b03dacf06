"""The model's learners, each fitted twice, and their blend.

Unlike learners err unlike, so a weighted mean of them is better than the best of them. Weights are
not negative and add up to 1. They are those that do best on the validation posts by what the first
fits predict of them, drawn towards equal weights where such posts are few.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from mmrl import __version__
from mmrl.config import Settings
from mmrl.learning.evaluation.calibration import community_widenings
from mmrl.learning.evaluation.record import Kind
from mmrl.learning.fitting import FittedNetwork, fit_network
from mmrl.learning.inputs import Encoding
from mmrl.learning.level import Errors, LevelOf, choose_level, levels
from mmrl.learning.model import NETWORK_NAME, Parts, TrainedModel
from mmrl.learning.regressors import Library, Regressor, fit_twice
from mmrl.learning.task import Part, Task
from mmrl.learning.trees import METADATA
from mmrl.runtime.progress import Progress
from mmrl.samples.features import microseconds
from mmrl.samples.known_at import label_known_at
from mmrl.times import iso

MODEL = "mmrl"  # the blend's name in an evaluation
_EVEN_POSTS = 200  # weights start equal, and this many validation posts outweigh that


@dataclass(frozen=True)
class Learner:
    """A learner of the model, and how an evaluation shows it by itself.

    Attributes:
        kind: "part", or "baseline" where it is also a model to beat.
        library: of a regressor; None for the network.
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
    Learner("kernel", "mmrl's kernel ridge alone", "part", "kernel"),
)


@dataclass
class _Fits:
    """The second fits, what the first ones predict of the validation posts, and seconds."""

    network: FittedNetwork
    validation: Parts
    regressors: dict[str, Regressor] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Blend:
    """A model, and what is known of its level.

    Attributes:
        errors: of the validation posts, as the first fits predict them.
        level_of: whose errors correct its predictions.
        mature_after: the maturity age.
        seconds: that it and each learner took, by name.
    """

    model: TrainedModel
    errors: Errors
    level_of: LevelOf
    mature_after: timedelta
    seconds: dict[str, float]

    def levels(self, part: Part, errors: Errors) -> np.ndarray:
        """What to add to the predictions of a part's posts, (n,), by errors known at their time."""
        created = microseconds(part.samples["created_at"])
        return levels(errors, part.inputs.subreddit, created, self.level_of)


def fit_blend(
    task: Task, encoding: Encoding, settings: Settings, as_of: datetime, progress: Progress
) -> Blend:
    """Fits every learner, then how they are blended and how wide the interval is.

    Args:
        encoding: of the inputs of the second fits.
        progress: advances by one a learner.
    """
    started = time.perf_counter()
    fits = _fit_networks(task)
    progress.advance(1)
    for learner in LEARNERS:
        if learner.library is not None:
            _fit_regressor(learner, learner.library, task, fits)
            progress.advance(1)
    names = [learner.name for learner in LEARNERS]
    predicted = np.stack([fits.validation.of(name) for name in names], axis=1)
    weights = blend_weights(predicted, task.validation.target)
    facts = {"mmrl_version": __version__, "as_of": iso(as_of), "profile": settings.profile}
    model = TrainedModel(
        encoding,
        fits.network,
        fits.regressors,
        dict(zip(names, weights.tolist(), strict=True)),
        {},
        0.0,
        settings.train.target,
        facts,
    )
    errors, level_of = _calibrate(model, task, fits.validation)
    seconds = {MODEL: time.perf_counter() - started, **fits.seconds}
    return Blend(model, errors, level_of, task.mature_after, seconds)


def set_levels(blend: Blend, test: Part, location: np.ndarray, as_of: datetime) -> np.ndarray:
    """Sets the model's levels, as of now, and gives those of the test posts, each as of its time.

    Args:
        location: (n,) what the model's second fits predict of the test posts.
    """
    errors = blend.errors.and_of(
        errors_of(test, test.inputs.subreddit, location, blend.mature_after)
    )
    now = np.int64(as_of.timestamp() * 1e6)
    names = blend.model.encoding.spec.subreddits
    every = levels(errors, np.arange(len(names) + 1), np.full(len(names) + 1, now), blend.level_of)
    blend.model.level = float(every[0])
    blend.model.levels = dict(zip(names, every[1:].tolist(), strict=True))
    return blend.levels(test, errors)


def _calibrate(model: TrainedModel, task: Task, parts: Parts) -> tuple[Errors, LevelOf]:
    """Sets how wide the interval is, by the validation posts.

    Args:
        parts: what the first fits predict of them.
    """
    validation = task.validation
    # Numbered as the second fit does; it learned from the training and the validation posts.
    subreddit = task.both.inputs.subreddit[len(task.train.target) :]
    errors = errors_of(validation, subreddit, model.location(parts), task.mature_after)
    created = microseconds(validation.samples["created_at"])
    level_of = choose_level(errors, created) if task.in_time else "none"
    level = levels(errors, subreddit, created, level_of)
    low, _, high = model.interval(parts, subreddit, level)
    model.widening, by_number = community_widenings(low, high, validation.target, subreddit)
    names = task.spec_of_both.subreddits
    model.widenings = {names[number - 1]: by for number, by in by_number.items() if number}
    return errors, level_of


def errors_of(
    part: Part, subreddit: np.ndarray, location: np.ndarray, mature_after: timedelta
) -> Errors:
    """How far a part's posts came out from what was predicted of them."""
    known = label_known_at(part.samples, mature_after)
    return Errors(known, subreddit, part.target - location)


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


def _fit_regressor(learner: Learner, library: Library, task: Task, fits: _Fits) -> None:
    started = time.perf_counter()
    modalities = tuple(
        name for name in learner.modalities or task.modalities if name in task.train.inputs.values
    )
    first, second = fit_twice(library, task, modalities)
    fits.validation.points[learner.name] = first.predict(task.validation.inputs)
    fits.regressors[learner.name] = second
    fits.seconds[learner.name] = time.perf_counter() - started
