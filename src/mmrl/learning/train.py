"""Training: a model fitted on labelled samples, and judged against the baselines."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.learning.baselines import BASELINES
from mmrl.learning.blend import LEARNERS, MODEL, blend_learners, fit_learners, predict_in_time
from mmrl.learning.chosen_posts import Chosen, choose_posts
from mmrl.learning.evaluation import evaluate
from mmrl.learning.evaluation.ablation import ablate, possible
from mmrl.learning.evaluation.calibration import calibration
from mmrl.learning.evaluation.evaluate import Judgement, Predictor
from mmrl.learning.evaluation.metrics import DECISIVE, METRICS
from mmrl.learning.evaluation.record import (
    FORMAT,
    AblationRow,
    Calibrated,
    Evaluation,
    Kind,
    RemovalResult,
    Splits,
    Training,
)
from mmrl.learning.evaluation.statistics import Predicted, Truth
from mmrl.learning.learners.keras_backend import load_keras
from mmrl.learning.model import NETWORK_NAME, Parts, TrainedModel
from mmrl.learning.removals import learn_removals
from mmrl.learning.splits import Split, seen_authors, split_samples
from mmrl.learning.targets import TargetName, labelled
from mmrl.learning.task import Part, Task, prepare
from mmrl.runtime.progress import Progress, Silent
from mmrl.samples.batches import HeldVectors, Vectors
from mmrl.version import __version__

CEILING = "noise_ceiling"


@dataclass
class Trained:
    """A model, its evaluation, and its predictions of the test posts.

    Attributes:
        test_predictions: as `mmrl.learning.evaluation.evaluate` describes.
        test_samples: the samples it was judged on, without vectors.
        test_vectors: their vectors.
    """

    model: TrainedModel
    evaluation: Evaluation
    test_predictions: pa.Table
    test_samples: pa.Table
    test_vectors: Vectors


@dataclass(frozen=True)
class _Used:
    """What a training uses of the samples.

    Attributes:
        samples: those of the split's parts.
        vectors: theirs; None where `samples` hold them.
        split: of `samples`.
        chosen: how they were chosen.
        authors_left_out: of labelled posts that were not drawn.
    """

    samples: pa.Table
    vectors: Vectors | None
    split: Split
    chosen: Chosen
    authors_left_out: list[str | None]


def train(
    samples: pa.Table,
    settings: Settings,
    encoders: Mapping[str, str],
    as_of: datetime,
    *,
    split: Split | None = None,
    truth: pa.Table | None = None,
    vectors: Vectors | None = None,
    fates: pa.Table | None = None,
    table_versions: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Trains on the older samples, tunes on newer ones, judges on the newest.

    Args:
        samples: in the schema of `samples_schema`; unlabelled ones are left out.
        encoders: by space, whose vectors the samples hold.
        split: of labelled samples; made as the settings say unless given. A split that is given
            stands, however many posts are in it.
        truth: post_id and expected_log_score of simulated posts, for the noise ceiling.
        vectors: of the samples; those that the table holds for None.
        fates: which posts were removed, of `posts_with_fates`; without it, nothing is learned of
            removals.
        table_versions: of the catalog that the samples were drawn from.

    Raises:
        InputError: fewer labelled samples than `settings.train.min_samples`, in all or within
            the window, or they span so short a time that a part of the split is empty.
    """
    progress = progress or Silent()
    options = settings.train
    load_keras(settings.threads)
    used = _used(samples, split, vectors, settings)
    task, encoding = prepare(used.samples, used.split, settings, encoders, used.vectors)
    ablated = options.ablation and bool(possible(task))
    progress.start("train", len(LEARNERS) + len(BASELINES) + ablated)

    started = time.perf_counter()
    fits = fit_learners(task, progress)
    blend = blend_learners(fits, task, encoding, settings, as_of)
    fitting, model = time.perf_counter() - started, blend.model
    removals = None
    if fates is not None:
        model.removals, removals = learn_removals(fates, options.seed, options.max_posts)
    parts = model.parts(task.test.inputs)
    quantiles = predict_in_time(blend, task, parts, as_of)
    predictors = _predictors(task, parts, quantiles, blend.seconds, options.target, progress)
    if truth is not None:
        predictors.append(_ceiling(truth, task.test))
    true = evaluate.truth_of(task.test.samples)
    seen = seen_authors(used.split, used.samples, used.authors_left_out)
    judged = evaluate.judge_all(predictors, true, seen, options.bootstrap, options.seed)
    evaluation = _evaluation(
        judged,
        model,
        settings,
        as_of,
        table_versions=dict(table_versions or {}),
        splits=evaluate.splits_of(
            used.split, used.samples, seen, used.chosen.too_old, used.chosen.thinned_out
        ),
        ablation=_ablation(task, true, settings, progress) if ablated else [],
        calibration=calibration(*quantiles, task.test.target),
        seconds=fitting,
        removals=removals,
    )
    progress.finish(_summary(evaluation))
    predictions = evaluate.test_predictions(task.test.samples, seen, predictors, quantiles)
    return Trained(model, evaluation, predictions, task.test.samples, task.test_vectors)


def _used(
    samples: pa.Table, split: Split | None, vectors: Vectors | None, settings: Settings
) -> _Used:
    """All samples of a split that is given; otherwise those chosen and split as the settings say.

    Raises:
        InputError: as `train`.
    """
    options = settings.train
    usable = labelled(samples, options.target)
    if usable.sum() < options.min_samples:
        raise InputError(too_few(int(usable.sum()), samples.num_rows, settings))
    if split is not None:
        every = np.arange(samples.num_rows)
        return _Used(samples, vectors, split, Chosen(every, 0, every[:0]), [])
    chosen, vectors = choose_posts(samples, usable, options), vectors or HeldVectors(samples)
    authors_left_out = samples["author_id"].take(pa.array(chosen.left_out)).to_pylist()
    vectors, names = vectors.of(chosen.rows), samples.schema.names
    samples = samples.drop_columns([name for name in vectors.dims if name in names])
    samples = samples.take(pa.array(chosen.rows))
    split = split_samples(samples, usable[chosen.rows], settings)
    return _Used(samples, vectors, split, chosen, authors_left_out)


def too_few(labelled_posts: int, posts: int, settings: Settings, imageless: int = 0) -> str:
    """Why there is no training yet, and what to do.

    Args:
        imageless: posts that are left out for want of an image; they are to blame where they would
            be enough.
    """
    message = (
        f"Only {labelled_posts:,} of {posts:,} samples have a label and training needs "
        f"{settings.train.min_samples:,}"
    )
    if labelled_posts + imageless >= settings.train.min_samples:
        return (
            f"{message}. {imageless:,} posts are left out because they have no image that could "
            "be fetched (`mmrl status` shows why): to learn from their titles and facts, set "
            "filter.require_image = false in mmrl.toml, or MMRL_FILTER__REQUIRE_IMAGE=false."
        )
    return (
        f"{message}: collect more posts, wait until they are "
        f"{settings.label.mature_after_hours:g} hours old and are observed again, or lower "
        "train.min_samples."
    )


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


def _ablation(
    task: Task, truth: Truth, settings: Settings, progress: Progress
) -> list[AblationRow]:
    rows = ablate(
        task,
        truth,
        lambda values: evaluate.predicted_of(values, task.test.samples, settings.train.target),
        resamples=settings.train.bootstrap,
    )
    progress.advance(1)
    return rows


def _evaluation(
    judged: Judgement,
    model: TrainedModel,
    settings: Settings,
    as_of: datetime,
    *,
    table_versions: dict[str, int],
    splits: Splits,
    ablation: list[AblationRow],
    calibration: list[Calibrated],
    seconds: float,
    removals: RemovalResult | None,
) -> Evaluation:
    compared = evaluate.differences(judged)
    labels = {name: result.label for name, result in judged.results.items()}
    beats, verdict = evaluate.verdict(compared, labels)
    ceiling = judged.results.get(CEILING)
    return Evaluation(
        format=FORMAT,
        mmrl_version=__version__,
        as_of=as_of.replace(microsecond=0),
        profile=settings.profile,
        target=settings.train.target,
        encoders=model.encoders,
        table_versions=table_versions,
        splits=splits,
        models=judged.results,
        differences=compared,
        beats_all_baselines=beats,
        verdict=verdict,
        ablation=ablation,
        calibration=calibration,
        training=Training(
            loss=model.network.history["loss"],
            validation_loss=model.network.history["validation_loss"],
            epochs=model.network.epochs,
            network_weight=model.weights[NETWORK_NAME],
            weights=model.weights,
            widening=model.widening,
            seconds=seconds,
            seed=settings.train.seed,
        ),
        noise_ceiling=None if ceiling is None else ceiling.metrics,
        removals=removals,
        settings=settings.train.model_dump(),
    )


def _summary(evaluation: Evaluation) -> str:
    posts = f"{evaluation.splits.test.posts:,} later posts"
    measure = evaluation.models[MODEL].metrics[DECISIVE]
    if measure is None:
        return posts
    return f"{METRICS[DECISIVE].title} {measure.value:.3f} on {posts}"
