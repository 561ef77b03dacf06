"""The table of an experiment: metrics over seeds with intervals, and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmrl.experiments.plan import Cell, Plan
from mmrl.learning.blend import MODEL
from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.judge import Judged, difference, judge
from mmrl.learning.evaluation.metrics import METRICS
from mmrl.learning.evaluation.paired import mean_of, predicted
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.evaluation.written import signed, with_span
from mmrl.runtime.written_tables import as_csv, latex, markdown

_KEYS = 6  # columns that say what a row is of
_SHOWN = [metric for metric in METRICS.values() if metric.compared]


@dataclass(frozen=True)
class Row:
    """One predictor of one combination, over its seeds.

    Attributes:
        leaking: the split leaks the future into training.
        posts: test posts, of the first seed.
        metrics: the mean over seeds, with the 95% interval over posts.
        differences: the same minus the reference's: the plan's first features and first learner
            with the same target, split and profile; empty for the reference itself, and where the
            two were not judged on the same posts.
        commands: that repeat its trainings, a seed each.
    """

    target: str
    split: str
    leaking: bool
    features: str
    profile: str
    learner: str
    posts: int
    seeds: tuple[int, ...]
    metrics: dict[str, Measure | None]
    differences: dict[str, Measure | None]
    commands: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def rows_of(
    plan: Plan, kept: Mapping[Cell, pa.Table], commands: Mapping[Cell, str], resamples: int
) -> list[Row]:
    """A row a target, split, features, profile and learner that was trained with any seed."""
    rows = []
    for profile in plan.profiles:
        for target in plan.targets:
            for split in plan.splits:
                of_features = {
                    features: [
                        cell
                        for cell in kept
                        if (cell.profile, cell.target, cell.split, cell.features)
                        == (profile, target, split, features)
                    ]
                    for features in plan.features
                }
                rows += _comparable(plan, of_features, kept, commands, resamples)
    return rows


def _comparable(
    plan: Plan,
    of_features: Mapping[str, Sequence[Cell]],
    kept: Mapping[Cell, pa.Table],
    commands: Mapping[Cell, str],
    resamples: int,
) -> list[Row]:
    """The rows of one target, split and profile, whose test posts are the same."""
    rows: list[Row] = []
    judged: dict[tuple[str, str], dict[int, Judged]] = {}
    for features, of_seeds in of_features.items():
        for learner in plan.learners:
            name = "q50" if learner == MODEL else learner
            by_seed = {
                cell.seed: _judge(kept[cell], name, cell, resamples)
                for cell in of_seeds
                if name in kept[cell].schema.names
            }
            if by_seed:
                judged[features, learner] = by_seed
    first = next(iter(plan.features))
    reference = (first, plan.learners[0])
    for (features, learner), by_seed in judged.items():
        of_row = [cell for cell in of_features[features] if cell.seed in by_seed]
        one, against = mean_of(list(by_seed.values())), judged.get(reference, {})
        differences: dict[str, Measure | None] = {}
        others = {cell.seed: kept[cell] for cell in of_features[first] if cell.seed in against}
        if (features, learner) != reference and _same_posts(
            {cell.seed: kept[cell] for cell in of_row}, others
        ):
            other = mean_of([against[seed] for seed in by_seed])
            differences = {m.name: difference(one, other, m.name) for m in _SHOWN}
        rows.append(
            Row(
                *(of_row[0].target, of_row[0].split, of_row[0].split != "time"),
                *(features, of_row[0].profile, learner),
                kept[of_row[0]].num_rows,
                tuple(by_seed),
                {m.name: one.metrics.get(m.name) for m in _SHOWN},
                differences,
                tuple(commands[cell] for cell in of_row),
            )
        )
    return rows


def _same_posts(some: Mapping[int, pa.Table], others: Mapping[int, pa.Table]) -> bool:
    """Whether trainings of the same seeds were judged on the same posts: else no resample of the
    ones is a resample of the others."""
    return set(some) == set(others) and all(
        table["post_id"].equals(others[seed]["post_id"]) for seed, table in some.items()
    )


def _judge(table: pa.Table, name: str, cell: Cell, resamples: int) -> Judged:
    names = [metric.name for metric in _SHOWN]
    # The same draws for all that are compared, whatever their seed.
    return judge(truth_of(table), predicted(table, name, cell.target), resamples, 0, names)


def write_tables(rows: Sequence[Row], plan: Plan, folder: Path) -> None:
    """Writes `results.csv` (a row a metric, numbers), `results.md` and `results.tex`."""
    head, lines = _wide(rows)
    caption = f"{plan.name}: mean over seeds, 95% intervals over test posts, as of {plan.as_of}"
    texts = {
        "results.csv": _long(rows),
        "results.md": f"# {plan.name}\n\n{caption}.\n\n{markdown(head, lines)}\n{_repeat(rows)}",
        "results.tex": latex(head, lines, caption, keys=_KEYS),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _wide(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    heads = [metric.label for metric in _SHOWN]
    head = ["target", "split", "features", "profile", "learner", "posts", *heads]
    head += [f"{label}, difference" for label in heads]
    lines = [
        [
            row.target,
            f"{row.split} (leaks)" if row.leaking else row.split,
            *(row.features, row.profile, row.learner, f"{row.posts:,}"),
            *(with_span(metric, row.metrics.get(metric.name)) for metric in _SHOWN),
            *(signed(metric, row.differences.get(metric.name)) for metric in _SHOWN),
        ]
        for row in rows
    ]
    return head, lines


def _repeat(rows: Sequence[Row]) -> str:
    """The commands that repeat each training, once each."""
    commands = dict.fromkeys(command for row in rows for command in row.commands)
    listed = "\n".join(f"    {command}" for command in commands)
    return f"Each training again:\n\n{listed}\n"


def _long(rows: Sequence[Row]) -> str:
    head = "target split leaking features profile learner posts seeds metric value low high"
    lines = []
    for row in rows:
        facts = [row.target, row.split, str(row.leaking), row.features, row.profile, row.learner]
        facts += [str(row.posts), " ".join(map(str, row.seeds))]
        for name, measure in row.metrics.items():
            values = [*_ends(measure), *_ends(row.differences.get(name))]
            lines.append([*facts, name, *values, "; ".join(row.commands)])
    differences = ["difference", "difference_low", "difference_high"]
    return as_csv([*head.split(), *differences, "command"], lines)


def _ends(measure: Measure | None) -> list[str]:
    if measure is None:
        return [""] * 3
    return [repr(value) for value in (measure.value, measure.low, measure.high)]
