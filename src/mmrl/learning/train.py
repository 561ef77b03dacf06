"""Trains a model on labelled samples and judges it against the baselines."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl import __version__
from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.learning.baselines import BASELINES, TREES, Part, Task
from mmrl.learning.evaluation import evaluate as evaluate
from mmrl.learning.evaluation.ablation import ablate, possible
from mmrl.learning.evaluation.calibration import calibration, widening
from mmrl.learning.evaluation.metrics import Judged, Predicted
from mmrl.learning.fitting import fit_network
from mmrl.learning.inputs import Encoding
from mmrl.learning.keras_backend import load_keras
from mmrl.learning.model import TrainedModel
from mmrl.learning.splits import Split, describe, seen_authors, split_at_random, split_by_time
from mmrl.learning.targets import TargetName, labelled, target_values
from mmrl.learning.trees import fit_trees
from mmrl.runtime.progress import Progress, Silent
from mmrl.times import iso

_EVEN_POSTS = 200  # the blend starts from halves, and this many validation posts outweigh that


@dataclass
class Trained:
    """A model, how it did, and its predictions of the test posts: see `evaluation.evaluate`.

    Attributes:
        test_samples: the samples it was judged on.
    """

    model: TrainedModel
    evaluation: dict[str, Any]
    test_predictions: pa.Table
    test_samples: pa.Table


def train(
    samples: pa.Table,
    settings: Settings,
    encoders: Mapping[str, str],
    as_of: datetime,
    *,
    truth: pa.Table | None = None,
    table_versions: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Trains on the older samples, tunes on newer ones, judges on the newest.

    Args:
        samples: in the schema of `samples_schema`; unlabelled ones are left out.
        encoders: by space, whose vectors the samples hold.
        truth: post_id and expected_log_score of simulated posts, for the noise ceiling.
        table_versions: of the catalog that the samples were drawn from.

    Raises:
        InputError: fewer labelled samples than `settings.train.min_samples`, or they span so
            short a time that a part of the split is empty.
    """
    progress = progress or Silent()
    options = settings.train
    load_keras(settings.threads)
    usable = labelled(samples, options.target)
    if usable.sum() < options.min_samples:
        raise InputError(too_few(int(usable.sum()), samples.num_rows, settings))
    split = _split(samples, usable, settings)
    task, encoding = _prepare(samples, split, settings, encoders)
    groups = possible(task) if options.ablation else []
    progress.start("train", 2 + len(BASELINES) + bool(groups))

    started = time.perf_counter()
    model, seconds = _fit(task, encoding, settings, as_of)
    progress.advance(2)
    fitting = time.perf_counter() - started

    test = task.test
    parts = model.parts(test.inputs)
    low, middle, high = model.interval(parts)
    raw = {"network": parts[0][:, 2], TREES[0]: parts[1]}
    labels = {"mmrl": "mmrl", "network": "mmrl's network alone", TREES[0]: TREES[1]}
    for baseline in BASELINES:
        before = time.perf_counter()
        raw[baseline.name] = baseline.predict(task)
        seconds[baseline.name] = time.perf_counter() - before
        labels[baseline.name] = baseline.label
        progress.advance(1)

    known = evaluate.truth_of(test.samples)
    seen = seen_authors(split, samples)
    mmrl = evaluate.predicted_of(middle, test.samples, options.target, low, high)
    predicted: dict[str, Predicted] = {}
    judged: dict[str, Judged] = {}
    models: dict[str, Any] = {}
    for name in ("mmrl", "network", *(baseline.name for baseline in BASELINES), TREES[0]):
        said = (
            mmrl
            if name == "mmrl"
            else evaluate.predicted_of(raw[name], test.samples, options.target)
        )
        predicted[name] = said
        judged[name], of_seen, of_unseen = evaluate.judge_model(
            known, said, seen, options.bootstrap, options.seed
        )
        models[name] = {
            "label": labels[name],
            "kind": {"mmrl": "model", "network": "part"}.get(name, "baseline"),
            "metrics": judged[name].metrics,
            "seen_authors": of_seen,
            "unseen_authors": of_unseen,
            "seconds": seconds[name],
        }
    ceiling = None
    if truth is not None:
        models["noise_ceiling"] = _ceiling(truth, test, known, seen, settings)
        ceiling = models["noise_ceiling"]["metrics"]
    compared = evaluate.differences(
        judged["mmrl"],
        {name: found for name, found in judged.items() if models[name]["kind"] == "baseline"},
    )
    beats, sentence = evaluate.verdict(compared, labels)
    ablation = []
    if groups:
        ablation = ablate(
            task,
            known,
            lambda values: evaluate.predicted_of(values, test.samples, options.target),
            resamples=options.bootstrap,
        )
        progress.advance(1)
    evaluation = {
        "format": evaluate.FORMAT,
        "mmrl_version": __version__,
        "as_of": iso(as_of),
        "profile": settings.profile,
        "target": options.target,
        "encoders": model.encoders,
        "table_versions": dict(table_versions or {}),
        "splits": describe(split, samples),
        "models": models,
        "differences": compared,
        "beats_all_baselines": beats,
        "verdict": sentence,
        "ablation": ablation,
        "calibration": calibration(low, middle, high, test.target),
        "training": {
            **model.network.history,
            "epochs": model.network.epochs,
            "network_weight": model.network_weight,
            "widening": model.widening,
            "seconds": fitting,
            "seed": options.seed,
        },
        "noise_ceiling": ceiling,
    }
    said_of_test = {
        "q10": mmrl.low if mmrl.low is not None else low,
        "q50": mmrl.log_score if mmrl.log_score is not None else middle,
        "q90": mmrl.high if mmrl.high is not None else high,
    }
    for name, said in predicted.items():
        if name != "mmrl":
            said_of_test[name] = said.log_score if said.log_score is not None else raw[name]
    table = evaluate.test_predictions(test.samples, seen, said_of_test)
    score = models["mmrl"]["metrics"]["spearman"]
    progress.finish(
        f"Spearman {score['value']:.3f} on {len(test.target):,} later posts"
        if score
        else f"{len(test.target):,} later posts"
    )
    return Trained(model, evaluation, table, test.samples)


def too_few(labelled_posts: int, posts: int, settings: Settings) -> str:
    """Why there is no training yet, and what to do."""
    return (
        f"Only {labelled_posts:,} of {posts:,} samples have a label and training needs "
        f"{settings.train.min_samples:,}: collect more posts, wait until they are "
        f"{settings.label.mature_after_hours:g} hours old and are looked at again, or lower "
        "train.min_samples."
    )


def _split(samples: pa.Table, usable: np.ndarray, settings: Settings) -> Split:
    options = settings.train
    if options.split == "random":
        return split_at_random(
            samples,
            usable,
            validation_share=options.validation_share,
            test_share=options.test_share,
            seed=options.seed,
        )
    return split_by_time(
        samples,
        usable,
        validation_share=options.validation_share,
        test_share=options.test_share,
        mature_after_hours=settings.label.mature_after_hours,
    )


def _prepare(
    samples: pa.Table, split: Split, settings: Settings, encoders: Mapping[str, str]
) -> tuple[Task, Encoding]:
    target = target_values(samples, settings.train.target)
    tables = [samples.take(pa.array(rows)) for rows in (split.train, split.validation, split.test)]
    encoding = Encoding.fit(tables[0], encoders, settings.train.seed)
    train, validation, test = (
        Part(table, encoding(table), target[rows])
        for table, rows in zip(tables, (split.train, split.validation, split.test), strict=True)
    )
    task = Task(train, validation, test, encoding.spec, settings.train.seed, settings.threads)
    return task, encoding


def _fit(
    task: Task, encoding: Encoding, settings: Settings, as_of: datetime
) -> tuple[TrainedModel, dict[str, float]]:
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
    facts = {"mmrl_version": __version__, "as_of": iso(as_of), "profile": settings.profile}
    target: TargetName = settings.train.target
    model = TrainedModel(encoding, network, trees, 1.0, 0.0, target, facts)
    parts = model.parts(validation.inputs)
    model.network_weight = blend_weight(parts[0][:, 0], parts[1], validation.target)
    low, _, high = model.interval(parts)
    model.widening = widening(low, high, validation.target)
    return model, {
        "mmrl": seconds,
        "network": network_seconds,
        TREES[0]: seconds - network_seconds,
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


def _ceiling(
    truth: pa.Table, test: Part, known: Any, seen: np.ndarray, settings: Settings
) -> dict[str, Any]:
    """What the simulated world's own expected value reaches on the same test posts."""
    where = pc.index_in(test.samples["post_id"], truth["post_id"].combine_chunks())
    if where.null_count:
        raise InputError(
            f"{where.null_count} of {test.samples.num_rows} test posts are not in the truth table; "
            "it must be that of the world the posts were collected from."
        )
    expected = truth["expected_log_score"].take(where).to_numpy()
    log_score = evaluate.predicted_of(expected, test.samples, "log_score")
    said = Predicted(log_score.log_score, log_score.popularity)
    judged, of_seen, of_unseen = evaluate.judge_model(
        known, said, seen, settings.train.bootstrap, settings.train.seed
    )
    return {
        "label": "Noise ceiling",
        "kind": "ceiling",
        "metrics": judged.metrics,
        "seen_authors": of_seen,
        "unseen_authors": of_unseen,
        "seconds": None,
    }
