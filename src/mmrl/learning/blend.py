"""The model's learners, fitted and blended: the network and the boosted trees."""

import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from mmrl import __version__
from mmrl.config import Settings
from mmrl.learning.evaluation.calibration import widening
from mmrl.learning.evaluation.record import Kind
from mmrl.learning.fitting import fit_network
from mmrl.learning.inputs import Encoding
from mmrl.learning.model import TrainedModel
from mmrl.learning.targets import TargetName
from mmrl.learning.task import Task
from mmrl.learning.trees import fit_trees
from mmrl.runtime.progress import Progress
from mmrl.times import iso

MODEL = "mmrl"  # the blend's name in an evaluation
_EVEN_POSTS = 200  # the blend starts from halves, and this many validation posts outweigh that


@dataclass(frozen=True)
class Learner:
    """A learner of the model, and how an evaluation shows it by itself.

    Attributes:
        kind: "part", or "baseline" where it is also a model to beat.
    """

    name: str
    label: str
    kind: Kind


NETWORK = Learner("network", "mmrl's network alone", "part")
TREES = Learner("boosting", "Boosted trees, metadata and embeddings", "baseline")
LEARNERS = (NETWORK, TREES)


def alone(parts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Each learner's own predictions, (n,), in the order of `LEARNERS`.

    Args:
        parts: what `TrainedModel.parts` gives.
    """
    network, trees = parts
    return network[:, 2], trees


def fit_blend(
    task: Task, encoding: Encoding, settings: Settings, as_of: datetime, progress: Progress
) -> tuple[TrainedModel, dict[str, float]]:
    """Fits every learner, then how they are blended and how wide the interval is.

    Args:
        progress: advances by one a learner.

    Returns:
        the model, and the seconds that it and each learner took, by name.
    """
    train, validation = task.train, task.validation
    started = time.perf_counter()
    network = fit_network(
        train.inputs,
        train.target,
        validation.inputs,
        validation.target,
        subreddits=len(task.spec.subreddits),
        seed=task.seed,
    )
    network_seconds = time.perf_counter() - started
    progress.advance(1)
    trees = fit_trees(
        train.inputs,
        train.target,
        validation.inputs,
        validation.target,
        task.modalities,
        seed=task.seed,
        threads=task.threads,
    )
    seconds = time.perf_counter() - started
    progress.advance(1)
    facts = {"mmrl_version": __version__, "as_of": iso(as_of), "profile": settings.profile}
    target: TargetName = settings.train.target
    model = TrainedModel(encoding, network, trees, 1.0, 0.0, target, facts)
    parts = model.parts(validation.inputs)
    model.network_weight = blend_weight(parts[0][:, 0], parts[1], validation.target)
    low, _, high = model.interval(parts)
    model.widening = widening(low, high, validation.target)
    return model, {
        MODEL: seconds,
        NETWORK.name: network_seconds,
        TREES.name: seconds - network_seconds,
    }


def blend_weight(network: np.ndarray, trees: np.ndarray, target: np.ndarray) -> float:
    """The network's part, 0 to 1, with the least squared error, drawn towards a half.

    Few validation posts can't tell unlike learners apart, and the mean of two is seldom worse than
    either.
    """
    apart = network - trees
    squared = float(apart @ apart)
    best = float(apart @ (target - trees)) / squared if squared > 0 else 0.5
    n = len(target)
    return (n * min(1.0, max(0.0, best)) + _EVEN_POSTS * 0.5) / (n + _EVEN_POSTS)
