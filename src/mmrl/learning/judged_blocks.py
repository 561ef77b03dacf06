"""Blocks of test posts: what learners that know older posts alone predict of them.

A set with many posts has one block, its newest posts. Of a small one a few hundred more posts, just
older, are test posts of learners of their own, so that its figures are not those of a handful.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.learning.baselines import OWN_BASELINES
from mmrl.learning.blend import (
    LEARNERS,
    MODEL,
    blend_learners,
    fit_learners,
    predict_in_time,
)
from mmrl.learning.evaluation import evaluate
from mmrl.learning.evaluation.evaluate import Predictor
from mmrl.learning.evaluation.record import Kind
from mmrl.learning.evaluation.statistics import Predicted
from mmrl.learning.model import Parts, TrainedModel
from mmrl.learning.splits import Split
from mmrl.learning.targets import TargetName
from mmrl.learning.task import Part, Task, prepare
from mmrl.runtime.extensions import extensions
from mmrl.runtime.progress import Progress
from mmrl.samples.batches import Vectors

CEILING = "noise_ceiling"
# Here, as a package's module that is loaded for one kind may import what another kind is made of.
BASELINES = (*OWN_BASELINES, *(baseline for _, baseline in extensions("baselines")))


@dataclass(frozen=True)
class JudgedBlock:
    """A block of test posts, and what was predicted of them.

    Attributes:
        task: of the split whose test posts they are.
        model: that was fitted for it.
        predictors: the model, its learners and the baselines, in the order to show them.
        quantiles: (3, n) the model's 10, 50 and 90%, in the target's units.
        seconds: that its learners took.
    """

    task: Task
    model: TrainedModel
    predictors: list[Predictor]
    quantiles: np.ndarray
    seconds: float

    @property
    def test(self) -> pa.Table:
        """The samples of the test posts, without vectors."""
        return self.task.test.samples


def fits_a_block() -> int:
    """How many learners and baselines are fitted for a block."""
    return len(LEARNERS) + len(BASELINES)


def judge_block(
    samples: pa.Table,
    vectors: Vectors | None,
    split: Split,
    settings: Settings,
    encoders: Mapping[str, str],
    as_of: datetime,
    truth: pa.Table | None,
    *,
    progress: Progress,
) -> JudgedBlock:
    """Fits all learners and baselines of a split, and predicts its test posts.

    Args:
        vectors: of the samples; those that the table holds for None.
        truth: post_id and expected_log_score of simulated posts, for the noise ceiling.
    """
    task, encoding = prepare(samples, split, settings, encoders, vectors)
    started = time.perf_counter()
    fits = fit_learners(task, progress)
    blend = blend_learners(fits, task, encoding, settings, as_of)
    seconds = time.perf_counter() - started
    parts = blend.model.parts(task.test.inputs)
    quantiles = predict_in_time(blend, task, parts, as_of)
    target = settings.train.target
    predictors = _predictors(task, parts, quantiles, blend.seconds, target, progress)
    if truth is not None:
        predictors.append(_ceiling(truth, task.test))
    return JudgedBlock(task, blend.model, predictors, np.stack(quantiles), seconds)


def pooled(blocks: Sequence[JudgedBlock]) -> list[Predictor]:
    """The predictors of all blocks' test posts; seconds are those of the last block."""
    return [
        replace(
            several[-1],
            values=np.concatenate([one.values for one in several]),
            predicted=Predicted.joined([one.predicted for one in several]),
        )
        for several in zip(*(block.predictors for block in blocks), strict=True)
    ]


def _predictors(
    task: Task,
    parts: Parts,
    quantiles: tuple[np.ndarray, np.ndarray, np.ndarray],
    seconds: dict[str, float],
    target: TargetName,
    progress: Progress,
) -> list[Predictor]:
    """The model, its learners by themselves and the baselines, in the order to show them."""
    samples = task.test.samples

    def predictor(name: str, label: str, kind: Kind, values: np.ndarray) -> Predictor:
        predicted = evaluate.predicted_of(values, samples, target)
        return Predictor(name, label, kind, values, predicted, seconds[name])

    own = [
        predictor(learner.name, learner.label, learner.kind, parts.of(learner.name))
        for learner in LEARNERS
    ]
    baselines = []
    for baseline in BASELINES:
        started = time.perf_counter()
        values = baseline.predict(task)
        seconds[baseline.name] = time.perf_counter() - started
        baselines.append(predictor(baseline.name, baseline.label, "baseline", values))
        progress.advance(1)
    low, middle, high = quantiles
    predicted = evaluate.predicted_of(middle, samples, target, low, high)
    return [
        Predictor(MODEL, "mmrl", "model", middle, predicted, seconds[MODEL]),
        *(learner for learner in own if learner.kind == "part"),
        *baselines,
        *(learner for learner in own if learner.kind == "baseline"),
    ]


def _ceiling(truth: pa.Table, test: Part) -> Predictor:
    """The simulated world's own expected values of the test posts."""
    where = pc.index_in(test.samples["post_id"], truth["post_id"].combine_chunks())
    if where.null_count:
        raise InputError(
            f"{where.null_count} of {test.samples.num_rows} test posts are not in the truth table; "
            "it must be that of the world the posts were collected from."
        )
    expected = truth["expected_log_score"].take(where).to_numpy()
    known = evaluate.predicted_of(expected, test.samples, "log_score")
    predicted = Predicted(known.log_score, known.popularity)
    return Predictor(CEILING, "Noise ceiling", "ceiling", expected, predicted, None)
