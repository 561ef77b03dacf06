"""The order of the stages, and running them.

`collect` and `observe` feed the catalog and are commands of their own; everything from `filter`
to `publish` is one run of the pipeline.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.encoders.device.threads import use_threads
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.errors import InputError
from mmrl.images.decode import use_limit
from mmrl.pipeline import Progress, Stage, StageReport, run_stage
from mmrl.pipeline.stages import publish, train
from mmrl.pipeline.stages.caption import CaptionStage
from mmrl.pipeline.stages.embed import EmbedStage
from mmrl.pipeline.stages.fetch_images import FetchImagesStage
from mmrl.pipeline.stages.filter import FilterStage
from mmrl.pipeline.stages.merge import MergeStage
from mmrl.runtime.lock import only_one

_MAKERS: dict[str, Callable[[Settings, Profile], Stage]] = {
    "filter": lambda settings, profile: FilterStage(settings),
    "fetch-images": lambda settings, profile: FetchImagesStage(settings),
    "caption": lambda settings, profile: CaptionStage(profile),
    "embed-title": lambda settings, profile: EmbedStage("title", profile),
    "embed-caption": lambda settings, profile: EmbedStage("caption", profile),
    "embed-image": lambda settings, profile: EmbedStage("image", profile),
    "embed-visual": lambda settings, profile: EmbedStage("visual", profile),
    "merge": lambda settings, profile: MergeStage(settings),
}

CHUNKED = tuple(_MAKERS)  # the stages that the engine runs row by row
STAGES = (*CHUNKED, "train", "publish")
_RUNNING = "waits for process {process}, which is at it already"
GROUPS = {"embed": tuple(name for name in STAGES if name.startswith("embed-"))}


@dataclass
class RunReport:
    """What a run did: a report a stage, and the model that came of it, if one did."""

    stages: list[StageReport] = field(default_factory=list)
    trained: train.TrainReport | None = None
    published: publish.PublishReport | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        stages = [
            {
                "stage": stage.name,
                "pending": stage.pending,
                "done": stage.done,
                "failed": dict(stage.failed),
                "noted": dict(stage.noted),
                "seconds": round(stage.seconds, 3),
                "peak_bytes": stage.peak_bytes,
            }
            for stage in self.stages
        ]
        report = self.published.report if self.published else None
        return {
            "did_anything": self.did_anything,
            "stages": stages,
            "message": self.trained.message if self.trained else None,
            "model_version": self.trained.version if self.trained else None,
            "report": None if report is None else str(report),
        }

    @property
    def did_anything(self) -> bool:
        """False when every stage found nothing new."""
        return any(stage.pending for stage in self.stages)


def expand(names: Sequence[str]) -> list[str]:
    """The stages meant by names, in the pipeline's order; all of them for no names.

    Raises:
        InputError: a name is none of a stage or a group.
    """
    for name in names:
        if name not in STAGES and name not in GROUPS:
            raise InputError(
                f"There is no stage {name!r}; the stages are {', '.join(STAGES)}, "
                f"and {', '.join(GROUPS)} for all of its kind."
            )
    wanted = {stage for name in names for stage in GROUPS.get(name, (name,))}
    return [stage for stage in STAGES if stage in wanted or not wanted]


def make_stage(name: str, settings: Settings) -> Stage:
    """The stage of that name; loads no model yet."""
    return _MAKERS[name](settings, load_profile(settings))


def run(
    catalog: Catalog,
    settings: Settings,
    names: Sequence[str],
    as_of: datetime,
    progress: Progress,
    truth: Any = None,
) -> RunReport:
    """Runs stages in the pipeline's order, each over what is pending at `as_of`.

    Args:
        truth: only the sandbox has one: a table of expected log scores for the noise ceiling.
    """
    use_threads(settings.threads)
    use_limit(settings.images.max_pixels)
    report = RunReport()
    for name in expand(names):

        def wait(said: str, name: str = name) -> None:
            progress.start(name, None)
            progress.finish(said)

        # Two at once, as when a scheduler tries again what only seemed to be dead, would do
        # everything twice.
        with only_one(catalog.home, f"run-{name}", _RUNNING, wait):
            _run_stage(name, catalog, settings, as_of, progress, truth, report)
    catalog.compact()
    return report


def _run_stage(
    name: str,
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    progress: Progress,
    truth: Any,
    report: RunReport,
) -> None:
    if name == "train":
        report.trained = train.train_if_new(catalog, settings, as_of, progress, truth)
        report.stages.append(report.trained.stage)
    elif name == "publish":
        report.published = publish.publish(catalog, settings, as_of, progress)
        report.stages.append(report.published.stage)
    else:
        report.stages.append(run_stage(make_stage(name, settings), catalog, as_of, progress))
