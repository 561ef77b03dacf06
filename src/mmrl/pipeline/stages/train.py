"""The `train` stage: trains a model when there is something new to learn from, and keeps it."""

from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog, Reason, quote
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.errors import InputError
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.library_errors import library_errors
from mmrl.pipeline import fingerprint as fingerprints
from mmrl.pipeline.stage import StageReport, WholeRun
from mmrl.pipeline.stages.fetch_images import FetchImagesStage
from mmrl.runtime.blas import large_matrices
from mmrl.runtime.meter import Meter
from mmrl.runtime.progress import Progress
from mmrl.samples.load import encoders_of, samples_and_vectors
from mmrl.samples.removals import posts_with_fates


@dataclass
class TrainReport:
    """Results of training.

    Attributes:
        stage: as of any other stage; `pending` is 0 when there was nothing new.
        message: what happened, in a sentence or two.
        version: of the model that was trained; None when none was.
        evaluation: its evaluation.
        promoted: whether it became the champion.
        too_few: there were too few labelled samples, or over too short a time, to train on.
    """

    stage: StageReport
    message: str
    version: str | None = None
    evaluation: Evaluation | None = None
    promoted: bool = False
    too_few: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "message": self.message,
            "version": self.version,
            "promoted": self.promoted,
            "pending": self.stage.pending,
            "seconds": self.stage.seconds,
            "peak_bytes": self.stage.peak_bytes,
            "evaluation": None if self.evaluation is None else self.evaluation.as_dict(),
        }


def train_stage(run: WholeRun) -> TrainReport:
    """Trains as a stage of a run; see `train_if_new`."""
    return train_if_new(run.catalog, run.settings, run.as_of, run.progress, run.truth)


def train_if_new(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    progress: Progress,
    truth: pa.Table | None = None,
    *,
    force: bool = False,
) -> TrainReport:
    """Trains on the samples labelled by `as_of`, unless a model was trained on just those before.

    Too few samples, or too short a time, are no error in a daily run: the report says what lacks.

    Args:
        truth: post_id and expected_log_score of simulated posts, for the noise ceiling.
        force: train even on nothing new.

    Raises:
        InputError: forced, and there are too few samples.
    """
    report = StageReport("train")
    with Meter() as meter:
        trained = _train(catalog, settings, as_of, progress, truth, force, report)
    report.seconds, report.peak_bytes = meter.seconds, meter.peak_bytes
    if not report.pending:
        progress.start(report.name, 0)
        progress.finish("not enough to learn from yet" if trained.too_few else report.summary())
    return trained


def _train(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    progress: Progress,
    truth: pa.Table | None,
    force: bool,
    report: StageReport,
) -> TrainReport:
    from mmrl.learning.registry.kept import versions_kept
    from mmrl.learning.registry.last_training import last_training
    from mmrl.learning.registry.registry import Registry
    from mmrl.learning.train import too_few, train

    profile = load_profile(settings)
    encoders = encoders_of(profile)
    labelled, fingerprint = astuple(fingerprints.take(catalog, settings, encoders, as_of))
    if labelled < settings.train.min_samples:
        imageless = _imageless(catalog, settings)
        message = too_few(labelled, catalog.count("samples"), settings, imageless)
        if force:
            raise InputError(message)
        return TrainReport(report, message, too_few=True)
    versions_kept(catalog.home)  # a registry that can't be read is met before the work
    last = last_training(catalog.home)
    if not force and last is not None and last["fingerprint"] == fingerprint:
        return TrainReport(
            report,
            f"Nothing new to learn from since version {last['version']} ({last['as_of']}).",
        )
    registry = Registry(catalog.home)
    if not force and registry.has(fingerprint):  # the run that trained it was killed at its end
        version = registry.settle(fingerprint)
        return TrainReport(report, f"Version {version} has learned from all there is.")

    report.pending = labelled
    samples, vectors = samples_and_vectors(catalog, settings, as_of, profile)
    try:
        with library_errors("The training"), large_matrices(settings.threads):
            trained = train(
                samples,
                settings,
                encoders,
                as_of,
                truth=truth,
                vectors=vectors,
                fates=posts_with_fates(catalog, settings, as_of),
                table_versions=catalog.versions(),
                progress=progress,
            )
    except InputError as error:  # they span too short a time to be split
        if force:
            raise
        report.pending = 0
        return TrainReport(report, str(error), too_few=True)
    version, decision = registry.register(trained, trained.test_samples, fingerprint=fingerprint)
    report.done = samples.num_rows
    message = f"Trained version {version}. {decision.reason} {trained.evaluation.verdict}"
    return TrainReport(report, message, version, trained.evaluation, decision.promote)


def _imageless(catalog: Catalog, settings: Settings) -> int:
    """Posts that are left out for want of an image: they have none, or it could not be fetched."""
    if not settings.filter.require_image:
        return 0
    reasons = f"reason IN ({quote(Reason.NO_IMAGE)}, {quote(Reason.HOST_NOT_ALLOWED)})"
    not_fetched = catalog.count("failures", f"stage = {quote(FetchImagesStage.name)}")
    return catalog.count("selection", reasons) + not_fetched
