"""Status of every stage: what is done, what is pending, what dropped out and why."""

import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mmrl.catalog import Catalog, Reason, quote
from mmrl.catalog.removers import REMOVED_BY
from mmrl.catalog.tables import embeddings_table
from mmrl.collector import observations
from mmrl.collector import writer as keep
from mmrl.collector.cursors import read_status
from mmrl.collector.gaps import Gap, Gaps
from mmrl.collector.status import Status
from mmrl.config import Settings
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.errors import MmrlError
from mmrl.pipeline.new_work import NewWork
from mmrl.pipeline.run import make_stage, posts_after
from mmrl.runtime.html_tables import html_table
from mmrl.sources.arctic_shift.source import ArcticShiftSource
from mmrl.sources.files import importer
from mmrl.sources.live import Traits
from mmrl.sources.reddit.source import RedditSource
from mmrl.stages import EMBEDDINGS, STAGES, StageInfo
from mmrl.times import iso

Counted = list[tuple[Reason, int]]


@dataclass(frozen=True)
class StageStatus:
    """One stage's row.

    Attributes:
        done: how many of `unit` it has made; None where that takes a profile that can't be loaded.
        pending: what the next run would do; None where that is not counted (imports, training).
        left_out: decided not to be worked on, by reason.
        failed: tried and failed, by reason.
        examples: for each reason, one that it left out: a post's id, or the key and the detail of
            a failure.
    """

    stage: str
    done: int | None
    unit: str
    pending: int | None = None
    left_out: Counted = field(default_factory=list)
    failed: Counted = field(default_factory=list)
    examples: dict[Reason, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "stage": self.stage,
            "done": self.done,
            "unit": self.unit,
            "pending": self.pending,
            "left_out": {str(reason): count for reason, count in self.left_out},
            "failed": {str(reason): count for reason, count in self.failed},
            "examples": {str(reason): example for reason, example in self.examples.items()},
        }


@dataclass
class Collecting:
    """The state of collecting from one live source.

    Attributes:
        collector: the newest status that a collector wrote, `killed` where that says running and
            the process is gone; None where none ever ran.
        gaps: the open ones; `left` places of them are still to be asked for, each counted once:
            ids, or seconds where the source counts by time.
        filled: how many were filled.
        unlisted: those that can't be asked for, as ids had no order.
    """

    traits: Traits
    collector: Status | None
    gaps: list[Gap]
    left: int
    filled: int
    unlisted: list[Gap]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        unit = "seconds" if self.traits.timed else "ids"
        opened = [
            {
                "subreddits": gap.subreddits.split("+"),
                "found_at": iso(gap.found_at),
                unit: gap.left,
                "kept": gap.kept,
            }
            for gap in self.gaps
        ]
        return {
            "collector": None if self.collector is None else self.collector.as_dict(),
            "gaps": {
                "open": opened,
                unit: self.left,
                "filled": self.filled,
                "unlisted": [_time_span(gap) for gap in self.unlisted],
            },
        }


@dataclass
class Survey:
    """Everything that `mmrl status` shows.

    Attributes:
        stages: a row a stage, in the pipeline's order, posts coming in first.
        live: a state of collecting for each live source, Reddit's first.
        erased: posts that purges erased, by the reason that Reddit gives.
        later: posts that came later than the moment asked for, and wait.
        warning: that published predictions came out worse than the baseline for a week.
        profile_error: why the work of stages that run the profile's models can't be counted.
    """

    stages: list[StageStatus]
    live: list[Collecting]
    erased: dict[str, int] = field(default_factory=dict)
    profile_error: str | None = None
    later: int = 0
    warning: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; what is Reddit's stands at the top, as it always did."""
        reddit, *others = (collecting.as_dict() for collecting in self.live)
        return {
            "stages": [row.as_dict() for row in self.stages],
            **reddit,
            "other_sources": {
                collecting.traits.label: state
                for collecting, state in zip(self.live[1:], others, strict=True)
            },
            "erased": self.erased,
            "profile_error": self.profile_error,
            "later": self.later,
            "warning": self.warning,
        }

    def _repr_html_(self) -> str:
        def count(counted: Counted) -> int | None:
            return sum(number for _, number in counted) or None

        rows = [
            [row.stage, row.done, row.unit, row.pending, count(row.left_out), count(row.failed)]
            for row in self.stages
        ]
        why = [
            [row.stage, reason.sentence, number]
            for row in self.stages
            for reason, number in [*row.left_out, *row.failed]
        ]
        stages = html_table(["stage", "done", "", "pending", "left out", "failed"], rows)
        return stages + (html_table(["stage", "why", ""], why) if why else "")


def survey(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    stages: Sequence[StageInfo] = STAGES,
) -> Survey:
    """The state of all stages at `as_of`; changes no table."""
    erased = _erased(catalog)
    profile, profile_error = _profile(settings)
    return Survey(
        _stages(catalog, settings, profile, as_of, stages, sum(erased.values())),
        [
            _collecting(catalog, traits)
            for traits in (RedditSource.traits, ArcticShiftSource.traits)
        ],
        erased,
        profile_error,
        posts_after(catalog, as_of),
        _warning(catalog, settings, as_of),
    )


def _warning(catalog: Catalog, settings: Settings, as_of: datetime) -> str | None:
    """What is to be said of the published predictions of the last week that has outcomes."""
    if not catalog.count("predictions"):
        return None
    from mmrl.learning.evaluation.prospective import WEEK, prospective

    oldest = as_of - WEEK - 2 * timedelta(hours=settings.label.mature_after_hours)
    return prospective(catalog, settings, as_of, oldest).warning


def _collecting(catalog: Catalog, traits: Traits) -> Collecting:
    gaps = Gaps(catalog, traits)
    return Collecting(
        traits,
        _collector(catalog, traits.mark),
        sorted(gaps.open, key=lambda gap: gap.found_at),
        gaps.left,
        gaps.filled(),
        sorted(gaps.unlisted, key=lambda gap: gap.from_id),
    )


def _time_span(gap: Gap) -> dict[str, Any]:
    since, until = (datetime.fromtimestamp(at, UTC) for at in (gap.from_id, gap.to_id))
    return {"subreddits": gap.subreddits.split("+"), "from": iso(since), "to": iso(until)}


def _profile(settings: Settings) -> tuple[Profile | None, str | None]:
    """The profile, or why there is none; most of the state can be told without it."""
    try:
        return load_profile(settings), None
    except MmrlError as error:
        return None, str(error)


def _stages(
    catalog: Catalog,
    settings: Settings,
    profile: Profile | None,
    as_of: datetime,
    stages: Sequence[StageInfo],
    erased: int,
) -> list[StageStatus]:
    failures = _failures(catalog)

    def with_failed(status: StageStatus, *stages: str) -> StageStatus:
        counts: Counter[Reason] = Counter()
        for stage in stages:
            for reason, examples in failures.pop(stage, {}).items():
                counts[reason] += examples.count
                status.examples.setdefault(reason, examples.first)
        return replace(status, failed=counts.most_common())

    came = StageStatus("collect, import", catalog.count("posts"), "posts")
    observed = StageStatus("observe", catalog.count("observations"), "observations")
    rows = [
        with_failed(came, importer.STAGE, keep.STAGE),
        with_failed(observed, observations.STAGE),
        StageStatus("purge", erased, "posts erased"),
    ]
    for info in stages:
        pending, done = None, None
        if info.role is None or profile is not None:
            done = _done(catalog, profile, info)
            if info.chunked:
                pending = NewWork(make_stage(info, settings), catalog, as_of).pending.num_rows
        unit = "models" if info.count is None else info.count.unit
        left_out = _left_out(catalog, info)
        counted = sorted(((reason, some.count) for reason, some in left_out.items()), key=_most)
        examples = {reason: some.first for reason, some in left_out.items()}
        status = StageStatus(info.name, done, unit, pending, counted, [], examples)
        rows.append(with_failed(status, info.name))
    # Failures of stages that this version does not have.
    rows += [with_failed(StageStatus(name, 0, ""), name) for name in sorted(failures)]
    return rows


def _most(counted: tuple[Reason, int]) -> int:
    return -counted[1]


def _done(catalog: Catalog, profile: Profile | None, info: StageInfo) -> int:
    count = info.count
    if count is None:
        return _models(catalog)
    table, where = count.table, count.where
    if count.model is not None and info.role is not None and profile is not None:
        where = f"{count.model} = {quote(profile.ids[info.role])}"
        if table == EMBEDDINGS:
            table = embeddings_table(info.role, profile.dims[info.role])
    return catalog.count(table, where)


@dataclass
class _Some:
    """How many there are, and the first of them in words."""

    first: str
    count: int = 0


def _left_out(catalog: Catalog, info: StageInfo) -> dict[Reason, _Some]:
    """Posts that a stage left out, by reason."""
    if info.count is None or info.count.left_out is None:
        return {}
    column = info.count.left_out
    rows = catalog.read(info.count.table, ["post_id", column], f"{column} IS NOT NULL")
    some: dict[Reason, _Some] = {}
    for post_id, reason in zip(*rows.to_pydict().values(), strict=True):
        some.setdefault(Reason(reason), _Some(post_id)).count += 1
    return some


def _failures(catalog: Catalog) -> dict[str, dict[Reason, _Some]]:
    """Failures by stage and reason."""
    some: dict[str, dict[Reason, _Some]] = {}
    for row in catalog.read("failures", ["stage", "reason", "key", "detail"]).to_pylist():
        words = " ".join(filter(None, (row["key"], row["detail"])))
        of_stage = some.setdefault(row["stage"], {})
        of_stage.setdefault(Reason(row["reason"]), _Some(words)).count += 1
    return some


def _collector(catalog: Catalog, mark: str) -> Status | None:
    account = read_status(catalog, mark)
    if account is None:
        return None
    status = Status.from_dict(account)
    if status.state == "running" and status.host == socket.gethostname():
        import psutil

        if not psutil.pid_exists(status.process):
            status.state = "killed"
    return status


def why_erased(reason: str) -> str:
    """A reason of `Survey.erased` in words; one that Reddit has added since, as it says it."""
    return REMOVED_BY.get(reason) or f"Reddit says '{reason}'"


def _erased(catalog: Catalog) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in catalog.read("purged", ["reason", "posts"]).to_pylist():
        counts[row["reason"]] += row["posts"]
    return dict(counts.most_common())


def _models(catalog: Catalog) -> int:
    """The number of model versions."""
    from mmrl.learning.registry.kept import versions_kept

    return len(versions_kept(catalog.home))
