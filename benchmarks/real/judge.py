"""Splits of a real set, and predictions of all folds judged together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import pyarrow as pa

from benchmarks.real.against import AutoGluon
from benchmarks.real.sets import SplitName
from mmrl.config import Settings
from mmrl.learning.blend import MODEL
from mmrl.learning.evaluation import evaluate
from mmrl.learning.evaluation.evaluate import Judgement, Predictor
from mmrl.learning.evaluation.record import Kind
from mmrl.learning.evaluation.statistics import Predicted
from mmrl.learning.splits import Split, split_by_time
from mmrl.learning.targets import column, labelled
from mmrl.learning.train import Trained, train

FOLDS = 5
TEST_SHARE = 0.25


@dataclass(frozen=True)
class Judged:
    """A set judged under one split.

    Attributes:
        posts: by part, how many; summed over folds.
        judgement: of mmrl, its parts, the baselines, and AutoGluon where it was asked for.
        seconds: of all trainings, baselines included.
    """

    posts: dict[str, int]
    judgement: Judgement
    seconds: float


def splits_of(
    name: SplitName,
    samples: pa.Table,
    authors: Mapping[str, str],
    settings: Settings,
    folds: int = FOLDS,
) -> list[Split]:
    """One split by time, or one a fold of authors.

    Args:
        authors: by post id; a post that is absent is a group of its own.
    """
    usable = labelled(samples, settings.train.target)
    if name == "time":
        return [
            split_by_time(
                samples,
                usable,
                validation_share=settings.train.validation_share,
                test_share=TEST_SHARE,
                mature_after_hours=settings.label.mature_after_hours,
            )
        ]
    ids = samples["post_id"].to_pylist()
    groups = [authors.get(post, f"post {post}") for post in ids]
    fold = np.array([fold_of(group, folds) for group in groups])
    share = settings.train.validation_share
    tuning = np.array([_drawn(group) < share for group in groups])
    return [_fold(usable, fold == number, tuning) for number in range(folds)]


def fold_of(group: str, folds: int) -> int:
    """The fold of an author: sha256 modulo the folds, so that no other post can change it."""
    return int(sha256(group.encode()).hexdigest(), 16) % folds


def _drawn(group: str) -> float:
    """A place from 0 to 1 that an author always has."""
    return int(sha256(f"tune {group}".encode()).hexdigest(), 16) / 2**256


def _fold(usable: np.ndarray, test: np.ndarray, tuning: np.ndarray) -> Split:
    """Test posts by some authors, validation posts by some of the others, as mmrl's own split by
    authors has them. It leaks the future, as every such split does.
    """
    parts = (usable & ~test & ~tuning, usable & ~test & tuning, usable & test)
    train, validation, tested = map(np.flatnonzero, parts)
    return Split(train, validation, tested, train[:0], "author", 0.0)


def judge_set(
    samples: pa.Table,
    splits: list[Split],
    settings: Settings,
    encoders: Mapping[str, str],
    autogluon: AutoGluon | None,
) -> Judged:
    """Trains and judges by mmrl's own code, fold by fold; metrics are of all folds' test posts."""
    started = time.perf_counter()
    few = settings.train.model_copy(update={"bootstrap": 100})  # a fold's own intervals are unused
    by_fold = settings.model_copy(update={"train": few})
    trained, others = [], []
    for split in splits:
        trained.append(train(samples, by_fold, encoders, datetime.now(UTC), split=split))
        if autogluon is not None:
            others.append(autogluon.predict(samples, split, settings, encoders))
    tests = pa.concat_tables([one.test_predictions for one in trained])
    predictors = _pooled(trained, tests)
    if autogluon is not None:
        values = np.concatenate([predicted for predicted, _ in others])
        seconds = sum(took for _, took in others)
        label = f"AutoGluon, {autogluon.preset}"
        predicted = Predicted(values)
        predictors.append(Predictor("autogluon", label, "baseline", values, predicted, seconds))
    judgement = evaluate.judge_all(
        predictors,
        evaluate.truth_of(tests),
        np.asarray(tests["seen_author"].to_numpy(), dtype=bool),
        settings.train.bootstrap,
        settings.train.seed,
    )
    names = ("train", "validation", "test")
    posts = {name: sum(len(getattr(split, name)) for split in splits) for name in names}
    return Judged(posts, judgement, time.perf_counter() - started)


def _pooled(trained: list[Trained], tests: pa.Table) -> list[Predictor]:
    """Each model's predictions of all folds' test posts, in the order an evaluation shows them."""
    predictors = []
    for name, first in trained[0].evaluation.models.items():
        seconds = sum(one.evaluation.models[name].seconds or 0.0 for one in trained)
        kind: Kind = first.kind
        own = name == MODEL
        values = column(tests, "q50" if own else name)
        predicted = Predicted(
            values,
            low=column(tests, "q10") if own else None,
            high=column(tests, "q90") if own else None,
        )
        predictors.append(Predictor(name, first.label, kind, values, predicted, seconds))
    return predictors
