"""How far every stage is: what is done, what is pending, what dropped out and why."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mmrl.catalog import Catalog, Reason, quote
from mmrl.catalog.schemas import embeddings_table
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.stages import pipeline

Counted = list[tuple[Reason, int]]


@dataclass(frozen=True)
class StageStatus:
    """One stage's row.

    Attributes:
        done: how many of `unit` it has made.
        pending: what the next run would do; None where that is not counted (imports, training).
        left_out: decided not to be worked on, by reason.
        failed: tried and failed, by reason.
    """

    stage: str
    done: int
    unit: str
    pending: int | None = None
    left_out: Counted = field(default_factory=list)
    failed: Counted = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "stage": self.stage,
            "done": self.done,
            "unit": self.unit,
            "pending": self.pending,
            "left_out": {str(reason): count for reason, count in self.left_out},
            "failed": {str(reason): count for reason, count in self.failed},
        }


def survey(catalog: Catalog, settings: Settings, as_of: datetime) -> list[StageStatus]:
    """A row a stage, in the pipeline's order, posts coming in first."""
    failed = _failures(catalog)
    rows = [
        StageStatus(
            "collect, import", catalog.count("posts"), "posts", None, failed.pop("import", [])
        )
    ]
    rows.append(StageStatus("observe", catalog.count("observations"), "looks"))
    for name in pipeline.CHUNKED:
        pending = pipeline.make_stage(name, settings).pending(catalog, as_of).num_rows
        done, unit = _done(catalog, settings, name)
        rows.append(
            StageStatus(name, done, unit, pending, _left_out(catalog, name), failed.get(name, []))
        )
    rows.append(StageStatus("train", _models(catalog), "models"))
    rows.append(StageStatus("publish", catalog.count("predictions"), "predictions"))
    return rows


def _done(catalog: Catalog, settings: Settings, stage: str) -> tuple[int, str]:
    if stage == "filter":
        return catalog.count("selection", "reason IS NULL"), "posts kept"
    if stage == "fetch-images":
        return catalog.count("post_images"), "posts with image"
    if stage == "merge":
        return catalog.count("samples", "label_observed_at IS NOT NULL"), "labelled samples"
    profile = load_profile(settings)
    if stage == "caption":
        return catalog.count("captions", f"captioner = {quote(profile.ids['captioner'])}"), "images"
    space = stage.removeprefix("embed-")
    table = embeddings_table(space, profile.dims[space])
    return catalog.count(table, f"encoder = {quote(profile.ids[space])}"), "vectors"


def _left_out(catalog: Catalog, stage: str) -> Counted:
    if stage == "filter":
        return _counted(catalog, "selection", "reason IS NOT NULL", "reason")
    if stage == "merge":
        return _counted(catalog, "samples", "unlabelled IS NOT NULL", "unlabelled")
    return []


def _failures(catalog: Catalog) -> dict[str, Counted]:
    rows = catalog.read("failures", ["stage", "reason"]).to_pylist()
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row["stage"], Counter())[row["reason"]] += 1
    return {
        stage: [(Reason(reason), count) for reason, count in by_reason.most_common()]
        for stage, by_reason in counts.items()
    }


def _counted(catalog: Catalog, table: str, where: str, column: str) -> Counted:
    reasons = catalog.read(table, [column], where)[column].to_pylist()
    return [(Reason(reason), count) for reason, count in Counter(reasons).most_common()]


def _models(catalog: Catalog) -> int:
    """How many versions were trained: they are numbered from 1, and none is ever taken away."""
    from mmrl.learning.registry import Registry, last_training

    if "://" in catalog.home:
        return len(Registry(catalog.home).list())
    last = last_training(catalog.home)
    return 0 if last is None else int(last["version"])
