"""Runs the stages of the graph, in its order, each over what is pending.

`collect` and `observe` feed the catalog and are commands of their own; everything from `filter`
to `publish` is one run of the pipeline.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from mmrl.catalog import Catalog, moment
from mmrl.config import Settings
from mmrl.encoders.device.threads import use_threads
from mmrl.encoders.profiles import load_profile
from mmrl.errors import InputError
from mmrl.images.decode import use_limit
from mmrl.pipeline.local import work_here
from mmrl.pipeline.runner import StageReport, run_stage
from mmrl.pipeline.stage import Executor, Outcome, Stage, WholeRun
from mmrl.runtime.progress import Progress
from mmrl.stages import STAGES, StageInfo, groups, names
from mmrl.storage.lock import only_one

if TYPE_CHECKING:
    from mmrl.pipeline.stages.publish import PublishReport
    from mmrl.pipeline.stages.train import TrainReport

_RUNNING = "waits for process {process}, which is at it already"


@dataclass
class RunReport:
    """A report a stage, and by name what the stages that run as a whole tell beside it.

    Attributes:
        later: posts that were first observed or imported after `as_of`, and wait.
    """

    stages: list[StageReport] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    later: int = 0

    @property
    def trained(self) -> "TrainReport | None":
        """The report of training; None where it was not run."""
        return cast("TrainReport | None", self.outcomes.get("train"))

    @property
    def published(self) -> "PublishReport | None":
        """The report of publishing; None where it was not run."""
        return cast("PublishReport | None", self.outcomes.get("publish"))

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        stages = [
            {
                "stage": stage.name,
                "pending": stage.pending,
                "done": stage.done,
                "failed": dict(stage.failed),
                "noted": dict(stage.noted),
                "missed": stage.missed,
                "seconds": round(stage.seconds, 3),
                "peak_bytes": stage.peak_bytes,
            }
            for stage in self.stages
        ]
        report = self.published.report if self.published else None
        return {
            "did_anything": self.did_anything,
            "later": self.later,
            "stages": stages,
            "message": self.trained.message if self.trained else None,
            "model_version": self.trained.version if self.trained else None,
            "report": None if report is None else str(report),
        }

    @property
    def did_anything(self) -> bool:
        """False when every stage found nothing new."""
        return any(stage.pending for stage in self.stages)


def posts_after(catalog: Catalog, as_of: datetime) -> int:
    """How many posts came later than a moment: work as of then does not see them."""
    return catalog.count("posts", f"first_seen_at > {moment(as_of)}")


def expand(requested: Sequence[str]) -> list[StageInfo]:
    """The stages that names of stages and groups stand for, in the graph's order; all for none.

    Raises:
        InputError: a name is none of a stage or a group.
    """
    members = groups()
    for name in requested:
        if name not in names() and name not in members:
            raise InputError(
                f"There is no stage {name!r}; the stages are {', '.join(names())}, "
                f"and {', '.join(members)} for all of its kind."
            )
    chosen = {stage for name in requested for stage in members.get(name, (name,))}
    return [stage for stage in STAGES if stage.name in chosen or not chosen]


def make_stage(info: StageInfo, settings: Settings) -> Stage:
    """A chunked stage; loads the profile only where the stage runs a model of it, and no model."""
    make = _made_by(info)
    if info.role is None:
        return cast(Stage, make(settings))
    return cast(Stage, make(info.role, load_profile(settings)))


def run(
    catalog: Catalog,
    settings: Settings,
    requested: Sequence[str],
    as_of: datetime,
    progress: Progress,
    truth: Any = None,
    check: bool = False,
) -> RunReport:
    """Runs stages in the graph's order, each over what is pending at `as_of`.

    Args:
        requested: names of stages and groups; all stages for none.
        truth: of simulated posts only: a table of expected log scores for the noise ceiling.
        check: look at all posts, whatever was written of them, and say what that found more.
    """
    use_threads(settings.threads)
    use_limit(settings.images.max_pixels)
    report = RunReport(later=posts_after(catalog, as_of))
    with _executors(settings) as executors:
        for info in expand(requested):

            def wait(message: str, name: str = info.name) -> None:
                progress.start(name, None)
                progress.finish(message)

            # Two at once, as when a scheduler retries a task that only seemed to be dead, would do
            # everything twice.
            with only_one(catalog.home, f"run-{info.name}", _RUNNING, wait):
                if info.chunked:
                    stage = make_stage(info, settings)
                    executor = executors(info)
                    done = run_stage(stage, catalog, as_of, progress, executor, check)
                    report.stages.append(done)
                else:
                    outcome = _made_by(info)(WholeRun(catalog, settings, as_of, progress, truth))
                    report.outcomes[info.name] = outcome
                    report.stages.append(outcome.stage)
    if report.did_anything:
        catalog.compact()
    return report


@contextmanager
def _executors(settings: Settings) -> Iterator[Callable[[StageInfo], Executor]]:
    """Where each stage's chunks are done, as the setting `engine` says."""
    if settings.engine == "local":
        yield lambda info: work_here
        return
    from mmrl.pipeline.cluster import Cluster

    with closing(Cluster(settings)) as cluster:
        yield lambda info: cluster.executor(info, make_stage) if info.spreads else work_here


def _made_by(info: StageInfo) -> Any:
    module, _, name = info.made_by.partition(":")
    return getattr(import_module(module), name)
