"""The funnel from posts to judged predictions: how many were left out, where, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from mmrl.catalog import Catalog, Reason
from mmrl.learning.evaluation.record import Splits
from mmrl.stages import STAGES, StageInfo, names


@dataclass(frozen=True)
class LeftOut:
    """The number of items that a stage left out for one reason.

    Attributes:
        stage: the stage's name.
        reason: its code.
        sentence: the reason in words.
        items: how many.
        again: how many of them will be tried again.
    """

    stage: str
    reason: str
    sentence: str
    items: int
    again: int


@dataclass(frozen=True)
class Step:
    """The number of posts that got to a step of the way."""

    name: str
    posts: int


def left_out(catalog: Catalog, stages: Sequence[StageInfo] = STAGES) -> list[LeftOut]:
    """Counts by stage and reason, in the pipeline's order, the largest first within a stage."""
    counted: list[LeftOut] = []
    for info in stages:
        if info.count is not None and info.count.left_out is not None:
            column = info.count.left_out
            rows = catalog.read(info.count.table, [column], f"{column} IS NOT NULL")
            counted += [
                LeftOut(info.name, row["values"], _sentence(row["values"]), row["counts"], 0)
                for row in rows[column].value_counts().to_pylist()
            ]
    failures = catalog.read("failures", ["stage", "reason", "retry_after"])
    grouped = failures.group_by(["stage", "reason"]).aggregate(
        [("reason", "count"), ("retry_after", "count")]
    )
    counted += [
        LeftOut(
            stage=row["stage"],
            reason=row["reason"],
            sentence=_sentence(row["reason"]),
            items=row["reason_count"],
            again=row["retry_after_count"],
        )
        for row in grouped.to_pylist()
    ]
    # What brings posts in is no stage of the graph and comes first.
    place = {name: number for number, name in enumerate(names(stages))}
    return sorted(counted, key=lambda item: (place.get(item.stage, -1), item.stage, -item.items))


def steps(catalog: Catalog, splits: Splits) -> list[Step]:
    """Steps of the way: posts that are known, kept, have an image, a label, were learned from.

    Where samples need no image, the posts with a sample take the place of those with an image.
    """
    used = splits.learned_posts + splits.test.posts
    kept = catalog.read("selection", ["post_id"], "reason IS NULL")["post_id"]
    imageless = catalog.count("samples", "image_content IS NULL")
    if imageless:
        ready = Step(f"with a sample ({imageless:,} without an image)", catalog.count("samples"))
    else:
        fetched = catalog.read("post_images", ["post_id"])["post_id"]
        count = pc.sum(pc.is_in(kept, value_set=fetched.combine_chunks())).as_py() or 0
        ready = Step("with their image", count)
    steps = [
        Step("posts known", catalog.count("posts")),
        Step("kept by the filter", len(kept)),
        ready,
        Step("with a label", catalog.count("samples", "score IS NOT NULL")),
    ]
    chosen = used + splits.gap_posts
    if splits.too_old:
        steps.append(Step("within train.window_days", chosen + splits.thinned_out))
    if splits.thinned_out:
        steps.append(Step("of these chosen, by train.max_posts", chosen))
    return [*steps, Step("in this model's splits", used)]


def _sentence(code: str) -> str:
    try:
        return Reason(code).sentence
    except ValueError:  # written by another version of mmrl
        return f"for a reason this version of mmrl does not know ({code})"
