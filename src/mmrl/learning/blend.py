"""The model's learners, each fitted twice, and their blend.

Unlike learners err unlike, so a weighted mean of them is better than the best of them. Weights are
not negative and add up to 1. They are those that do best on the validation posts by what the first
fits predict of them, drawn towards weights by each learner's own error where such posts are few.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.config import Settings
from mmrl.learning.evaluation.calibration import widenings
from mmrl.learning.evaluation.record import Kind
from mmrl.learning.inputs import Encoding
from mmrl.learning.learners import foreign
from mmrl.learning.learners.fitting import FittedNetwork, NetworkTrainer, Schedule
from mmrl.learning.learners.network import NetworkShape
from mmrl.learning.learners.regressors import Regressor, fit_twice
from mmrl.learning.learners.trees import TREES
from mmrl.learning.model import NETWORK_NAME, Parts, TrainedModel
from mmrl.learning.outcomes import (
    AUTHOR_KINDS,
    Followed,
    LevelOf,
    Outcomes,
    author_kinds,
    choose_level,
    follow,
)
from mmrl.learning.task import Part, Task
from mmrl.runtime.extensions import extensions
from mmrl.runtime.progress import Progress
from mmrl.samples.features import microseconds
from mmrl.samples.known_at import NEVER, label_known_at
from mmrl.samples.schema import SUBREDDIT_FEATURES
from mmrl.times import iso
from mmrl.version import __version__

MODEL = "mmrl"  # the blend's name in an evaluation
_PRIOR_POSTS = 50
_PRIOR_POWER = 8.0


@dataclass(frozen=True)
class Learner:
    """A learner of the model, and how an evaluation shows it by itself.

    Attributes:
        kind: "part", or "baseline" where it is also a model to beat.
        library: of a regressor; None for the network.
        unread: numbers of "post" that it leaves out.
    """

    name: str
    label: str
    kind: Kind
    library: str | None = None
    unread: tuple[str, ...] = ()


LEARNERS = (
    Learner(NETWORK_NAME, "mmrl's network alone", "part"),
    Learner("boosting", "CatBoost on all inputs", "baseline", "catboost"),
    Learner("lightgbm", "LightGBM on all inputs", "baseline", "lightgbm"),
    Learner(
        "no_history",
        "mmrl's trees without history alone",
        "part",
        "lightgbm",
        unread=SUBREDDIT_FEATURES,
    ),
    Learner("kernel", "mmrl's kernel ridge alone", "part", "kernel"),
    *(
        Learner(name, str(kind.label), "part", foreign.library(name))
        for name, kind in extensions("learners")
    ),
)


@dataclass(frozen=True)
class Fits:
    """Every learner, fitted twice.

    Attributes:
        network, regressors: of the second fit.
        validation: what the first fits predict of the validation posts.
        seconds: that each took, by name, and all together, by the blend's; these are fewer than
            the sum where learners are fitted side by side.
    """

    network: FittedNetwork
    regressors: dict[str, Regressor]
    validation: Parts
    seconds: dict[str, float]


@dataclass
class Blend:
    """A model, and what became of its first fits' predictions.

    Attributes:
        outcomes: of the validation posts.
        subreddits: those that the model learned from, then newcomers, as outcomes number them
            from 1.
        level_of: whose errors correct its predictions.
        seconds: that it and each learner took, by name.
    """

    model: TrainedModel
    outcomes: Outcomes
    subreddits: list[str]
    level_of: LevelOf
    seconds: dict[str, float]


def fit_learners(task: Task, progress: Progress) -> Fits:
    """Fits every learner of the model: trees in a thread beside all others, as each leaves cores
    idle; one after the other where `threads` says how many may work.

    Args:
        progress: advances by one a learner.
    """
    points: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def fit(learner: Learner) -> Regressor:
        started = time.perf_counter()
        first, second = fit_twice(str(learner.library), task, learner.unread)
        points[learner.name] = first.predict(task.validation.inputs)
        seconds[learner.name] = time.perf_counter() - started
        return second

    regressors = [learner for learner in LEARNERS if learner.library is not None]
    fitted: dict[str, Regressor] = {}
    with ThreadPoolExecutor(1, "trees") as beside:
        apart = [one for one in regressors if one.library in TREES and task.threads is None]
        trees = {one.name: beside.submit(fit, one) for one in apart}
        try:
            started = time.perf_counter()
            network, of_network = _fit_networks(task)
            seconds[NETWORK_NAME] = time.perf_counter() - started
            progress.advance(1)
            for one in regressors:
                if one.name not in trees:
                    fitted[one.name] = fit(one)
                    progress.advance(1)
            for name, waiting in trees.items():
                fitted[name] = waiting.result()
                progress.advance(1)
        except BaseException:  # whoever interrupts waits for one fit, not for all of them
            beside.shutdown(wait=False, cancel_futures=True)
            raise
    seconds[MODEL] = time.perf_counter() - began
    in_order = {one.name: fitted[one.name] for one in regressors}
    return Fits(network, in_order, Parts(of_network, points), seconds)


def blend_learners(
    fits: Fits, task: Task, encoding: Encoding, settings: Settings, as_of: datetime
) -> Blend:
    """How fitted learners are blended, and whose outcomes correct them.

    Args:
        encoding: of the inputs of the second fits.
    """
    started = time.perf_counter()
    names = [NETWORK_NAME, *fits.regressors]
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
    subreddits = [*task.spec.subreddits, *_newcomers(task)]
    outcomes = _outcomes(model, task.validation, fits.validation, task.mature_after, subreddits)
    level_of = choose_level(outcomes, len(task.spec.subreddits))
    took = fits.seconds[MODEL] + time.perf_counter() - started
    return Blend(model, outcomes, subreddits, level_of, {**fits.seconds, MODEL: took})


def predict_in_time(
    blend: Blend, task: Task, parts: Parts, as_of: datetime
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 10, 50 and 90% quantiles of the test posts, each by the outcomes known when it went up.

    Also sets the model's own levels and widenings: by all outcomes, as of now. Where test posts
    are not the newest, only the validation posts' outcomes count.

    Args:
        parts: what the second fits predict of the test posts.
    """
    model, test = blend.model, task.test
    followed = _following(blend, task, parts) if task.in_time else _as_validated(blend)
    _follow(model, followed, blend.subreddits, int(as_of.timestamp() * 1e6))
    asked = _numbers(test, blend.subreddits), author_kinds(test.samples), _created(test)
    return model.interval(parts, *followed(*asked))


def _following(blend: Blend, task: Task, parts: Parts) -> Followed:
    """Levels and widenings by what was known of the outcomes at each moment."""
    model, validation = blend.model, task.validation
    facts = task.mature_after, blend.subreddits
    return follow(
        blend.outcomes,
        _outcomes(model, validation, model.parts(validation.inputs), *facts),
        _outcomes(model, task.test, parts, *facts),
        blend.level_of,
        len(task.spec.subreddits),
    )


def _as_validated(blend: Blend) -> Followed:
    """No level, and widenings by all validation posts' outcomes, whatever the moment."""
    outcomes = blend.outcomes
    outside = outcomes.outside(np.zeros(len(outcomes.error)))

    def followed(
        numbers: np.ndarray, authors: np.ndarray, moments: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        asked, ever = np.stack([numbers, authors], axis=1), np.full(len(moments), NEVER)
        wide = widenings(outside, outcomes.known, outcomes.groups, asked, ever)
        return np.zeros(len(moments)), wide

    return followed


def _follow(model: TrainedModel, followed: Followed, names: Sequence[str], moment: int) -> None:
    """Sets the model's levels and widenings to those of one moment.

    Args:
        names: of the subreddits, as outcomes number them from 1.
    """
    kinds = np.arange(len(AUTHOR_KINDS))
    nobody, rows = -1, len(names) + 1  # of no kind, so that no kind's widening is among these

    level, wide = followed(np.arange(rows), np.full(rows, nobody), np.full(rows, moment))
    model.level, model.widening = float(level[0]), float(wide[0])
    model.levels = dict(zip(names, level[1:].tolist(), strict=True))
    model.widenings = dict(zip(names, wide[1:].tolist(), strict=True))
    _, by_author = followed(np.zeros_like(kinds), kinds, np.full(len(kinds), moment))
    model.author_widenings = (by_author - model.widening).tolist()


def _newcomers(task: Task) -> list[str]:
    """The subreddits, in lower case, that outcomes are of and the model has not learned from."""
    parts = (task.validation, task.test)
    met = {name for part in parts for name in pc.unique(_subreddits(part)).to_pylist()}
    return sorted(met - set(task.spec.subreddits))


def _numbers(part: Part, names: Sequence[str]) -> np.ndarray:
    """The number of each post's subreddit among these, (n,), from 1."""
    place = pc.index_in(_subreddits(part), value_set=pa.array(names, pa.string()))
    return np.asarray(place.to_numpy(), np.int64) + 1


def _subreddits(part: Part) -> pa.ChunkedArray:
    return pc.utf8_lower(part.samples["subreddit"])


def _created(part: Part) -> np.ndarray:
    return microseconds(part.samples["created_at"])


def _outcomes(
    model: TrainedModel, part: Part, parts: Parts, mature_after: timedelta, names: Sequence[str]
) -> Outcomes:
    """What became of predictions of a part's posts, without any level or widening."""
    none = np.zeros(len(part.target))
    low, middle, high = model.interval(parts, none, none)
    known = label_known_at(part.samples, mature_after)
    error = part.target - middle
    numbers, authors = _numbers(part, names), author_kinds(part.samples)
    below, above = middle - low, high - middle
    return Outcomes(_created(part), known, numbers, authors, error, below, above)


def blend_weights(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights of m learners, (m,): not negative, adding up to 1.

    Ridge regression with weights of 0 or more, on predictions and targets less their means, for a
    level that moves says nothing of the learners. What it is drawn to, as if `_PRIOR_POSTS` posts
    spoke for it, are weights by each learner's own squared error, to the power of `-_PRIOR_POWER`.

    Args:
        predicted: (n, m) what each learner predicts of n validation posts.
        target: (n,).
    """
    from scipy.optimize import nnls

    centred, truth = predicted - predicted.mean(axis=0), target - target.mean()
    squares = np.maximum(((truth[:, None] - centred) ** 2).mean(axis=0), 1e-12)
    n = len(target)
    squares = (n * squares + _PRIOR_POSTS * squares.mean()) / (n + _PRIOR_POSTS)
    prior = (squares / squares.min()) ** -_PRIOR_POWER
    prior /= prior.sum()
    pull = np.sqrt(_PRIOR_POSTS * squares.min())
    weights, _ = nnls(
        np.concatenate([centred, pull * np.eye(len(prior))]), np.concatenate([truth, pull * prior])
    )
    return np.asarray(weights / weights.sum()) if weights.sum() > 0 else prior


def _fit_networks(task: Task) -> tuple[FittedNetwork, np.ndarray]:
    """The network of the second fit, and what the first one predicts of the validation posts."""
    schedule = Schedule.of(len(task.train.target))
    trainer = NetworkTrainer(
        task.train.inputs.widths,
        len(task.spec.subreddits),
        task.seed,
        shape=NetworkShape.of(len(task.train.target)),
    )
    first = trainer.fit(
        task.train.inputs,
        task.train.target,
        (task.validation.inputs, task.validation.target),
        schedule=schedule,
    )
    second = trainer.fit(task.both.inputs, task.both.target, epochs=first.epochs, schedule=schedule)
    second.history = first.history
    return second, first.predict(task.validation.inputs)
