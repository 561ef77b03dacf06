"""Training: a model fitted on labelled samples, and judged against the baselines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.learning.blend import MODEL
from mmrl.learning.chosen_posts import Chosen, choose_posts
from mmrl.learning.evaluation import evaluate
from mmrl.learning.evaluation.ablation import ablate
from mmrl.learning.evaluation.calibration import calibration
from mmrl.learning.evaluation.evaluate import Judgement
from mmrl.learning.evaluation.metrics import DECISIVE, METRICS
from mmrl.learning.evaluation.record import (
    FORMAT,
    AblationRow,
    Calibrated,
    Evaluation,
    RemovalResult,
    Splits,
    Training,
)
from mmrl.learning.judged_blocks import CEILING, fits_a_block, judge_block, pooled
from mmrl.learning.learners.keras_backend import load_keras
from mmrl.learning.model import NETWORK_NAME, TrainedModel
from mmrl.learning.removals import learn_removals
from mmrl.learning.splits import Split, earlier_splits, seen_authors, split_samples
from mmrl.learning.targets import labelled, target_values
from mmrl.learning.task import Task
from mmrl.runtime.progress import Progress, Silent
from mmrl.samples.batches import HeldVectors, Vectors
from mmrl.version import __version__


@dataclass
class Trained:
    """A model, its evaluation, and its predictions of the test posts.

    Attributes:
        test_predictions: as `mmrl.learning.evaluation.evaluate` describes, of all test blocks.
        test_samples: the newest block's, which the model has not learned from, without vectors.
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

    Where those to judge on are few, learners are fitted anew for each of some earlier blocks, by
    what was known before it, and all are judged together on all blocks; the model that is kept is
    the newest block's.

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
    splits = [used.split] if split is not None else [*_earlier(used, settings), used.split]
    progress.start("train", fits_a_block() * len(splits) + options.ablation)
    blocks = [
        judge_block(
            used.samples, used.vectors, one, settings, encoders, as_of, truth, progress=progress
        )
        for one in splits
    ]
    newest = blocks[-1]
    model, removals = newest.model, None
    if fates is not None:
        model.removals, removals = learn_removals(fates, options.seed, options.max_posts)
    tests = pa.concat_tables([block.test for block in blocks])
    seen = np.concatenate(
        [seen_authors(one, used.samples, used.authors_left_out) for one in splits]
    )
    predictors = pooled(blocks)
    low, middle, high = np.concatenate([block.quantiles for block in blocks], axis=1)
    judged = evaluate.judge_all(
        predictors, evaluate.truth_of(tests), seen, options.bootstrap, options.seed
    )
    evaluation = _evaluation(
        judged,
        model,
        settings,
        as_of,
        table_versions=dict(table_versions or {}),
        splits=evaluate.splits_of(
            splits, used.samples, seen, used.chosen.too_old, used.chosen.thinned_out
        ),
        ablation=_ablation(newest.task, settings, progress) if options.ablation else [],
        calibration=calibration(low, middle, high, target_values(tests, options.target)),
        seconds=newest.seconds,
        removals=removals,
    )
    progress.finish(_summary(evaluation))
    predictions = evaluate.test_predictions(tests, seen, predictors, (low, middle, high))
    return Trained(model, evaluation, predictions, newest.test, newest.task.test_vectors)


def _earlier(used: _Used, settings: Settings) -> list[Split]:
    """The splits of earlier blocks of test posts, where a set is small and used whole."""
    if used.split.leaking or len(used.chosen.left_out):
        return []
    target = target_values(used.samples, settings.train.target)
    return earlier_splits(used.samples, target, used.split, settings)


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


def _ablation(task: Task, settings: Settings, progress: Progress) -> list[AblationRow]:
    rows = ablate(
        task,
        evaluate.truth_of(task.test.samples),
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
    posts = f"{evaluation.splits.judged_posts:,} later posts"
    measure = evaluation.models[MODEL].metrics[DECISIVE]
    if measure is None:
        return posts
    return f"{METRICS[DECISIVE].title} {measure.value:.3f} on {posts}"
