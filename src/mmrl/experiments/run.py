"""Runs an experiment: each cell is trained once and kept.

A cell is trained again where the labelled samples, or the settings that it was trained with, are
others now: what stands in one table has learned from the same posts.
"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.columns import SPACES
from mmrl.catalog.tombstones import not_purged
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.errors import MmrlError, NotFoundError
from mmrl.experiments.kept import fingerprint, is_kept, read_cell, write_cell
from mmrl.experiments.plan import COLUMN, Cell, Plan, cells
from mmrl.experiments.table import Row, rows_of, write_tables
from mmrl.learning.inputs import NUMERIC, TEXTS
from mmrl.learning.library_errors import library_errors
from mmrl.learning.splits import Split, split_by_column, split_by_group, split_samples
from mmrl.learning.targets import labelled
from mmrl.runtime.blas import large_matrices
from mmrl.runtime.progress import Progress
from mmrl.samples.digest import digest
from mmrl.samples.extras import EXTRA, extras_of, text_columns
from mmrl.samples.load import encoders_of, samples_with_vectors
from mmrl.samples.schema import emptied
from mmrl.times import parse_time


@dataclass
class ExperimentReport:
    """What an experiment did.

    Attributes:
        folder: with `results.csv`, `results.md`, `results.tex`, and the cells' predictions.
        trained, kept: cells that were trained now, and before.
        again: of those trained now, how many were kept of other posts or settings.
        stale: cells left out of the table, as they are still kept of other posts or settings.
        failed: by cell, why it could not be trained.
        rows: of the table.
    """

    folder: Path
    trained: int = 0
    kept: int = 0
    again: int = 0
    stale: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        names = ("trained", "kept", "again", "stale", "failed")
        counts = {name: getattr(self, name) for name in names}
        rows = [row.as_dict() for row in self.rows]
        return {"folder": str(self.folder), **counts, "rows": rows}


def run_experiment(
    catalog: Catalog,
    settings: Settings,
    plan: Plan,
    file: Path,
    folder: Path,
    progress: Progress,
    only: str | None = None,
) -> ExperimentReport:
    """Trains what is not kept yet, and writes the table of all that is.

    Args:
        file: of the plan, for the commands that repeat a cell.
        folder: for the results; made if it is not there.
        only: the key of one cell, which is then trained even where it is kept.

    Raises:
        NotFoundError: there is no such cell.
        ConfigError: there is no such profile.
    """
    report = ExperimentReport(folder)
    chosen = [cell for cell in cells(plan) if only in (None, cell.key(plan))]
    if not chosen:
        keys = ", ".join(cell.key(plan) for cell in cells(plan))
        raise NotFoundError(f"There is no cell {only!r} in {file}: the cells are {keys}.")
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    # Before the samples are read, so that what is written meanwhile is new to the next run.
    _, digested = digest(catalog, settings, parse_time(plan.as_of))
    of = {profile: fingerprint(settings, profile, digested) for profile in plan.profiles}
    samples: dict[str, pa.Table] = {}  # of one profile at a time
    for cell in chosen:
        place = _file(folder, plan, cell)
        before, current = place.is_file(), is_kept(place, of[cell.profile])
        if only is None and current:
            report.kept += 1
            continue
        if cell.profile not in samples:
            samples = {cell.profile: _samples(catalog, settings, plan, cell)}
        try:
            predictions = _train(samples[cell.profile], settings, plan, cell, progress)
        except MmrlError as error:  # too few posts, say: the others may do
            report.failed[cell.key(plan)] = str(error)
            continue
        # Without posts that were purged while it was trained.
        write_cell(place, not_purged(catalog, "predictions", predictions), of[cell.profile])
        report.trained += 1
        report.again += before and not current
    kept: dict[Cell, pa.Table] = {}
    for cell in cells(plan):
        place = _file(folder, plan, cell)
        stored = read_cell(place, of[cell.profile])
        if stored is not None:
            kept[cell] = stored
        else:
            report.stale += place.is_file()
    commands = {cell: _command(file, catalog.home, folder, cell.key(plan)) for cell in kept}
    report.rows = rows_of(plan, kept, commands, settings.train.bootstrap)
    write_tables(report.rows, plan, folder)
    return report


def _samples(catalog: Catalog, settings: Settings, plan: Plan, cell: Cell) -> pa.Table:
    profile = load_profile(settings.model_copy(update={"profile": cell.profile}))
    as_of = parse_time(plan.as_of)
    return samples_with_vectors(catalog, settings, as_of, profile, labelled_only=True)


def _train(
    samples: pa.Table, settings: Settings, plan: Plan, cell: Cell, progress: Progress
) -> pa.Table:
    """Trains a cell; returns its predictions of the test posts."""
    from mmrl.learning.train import train

    options: dict[str, Any] = {"target": cell.target, "seed": cell.seed, "ablation": False}
    chosen = settings.model_copy(
        update={
            "profile": cell.profile,
            "train": settings.train.model_copy(update={**options, "split": _of_settings(cell)}),
        }
    )
    split = _split(samples, chosen, cell)
    profile = load_profile(chosen)
    with library_errors("The training"), large_matrices(settings.threads):
        trained = train(
            restricted(samples, plan.groups(cell.features)),
            chosen,
            encoders_of(profile),
            parse_time(plan.as_of),
            split=split,
            progress=progress,
        )
    return trained.test_predictions


def _of_settings(cell: Cell) -> str:
    return cell.split if cell.split in ("time", "random") else "time"


def _split(samples: pa.Table, settings: Settings, cell: Cell) -> Split:
    usable, options = labelled(samples, cell.target), settings.train
    if cell.split.startswith(COLUMN):
        name = cell.split.removeprefix(COLUMN)
        return split_by_column(samples, usable, [one.get(name) for one in extras_of(samples)])
    if cell.split in ("author", "subreddit"):
        return split_by_group(
            samples,
            usable,
            "author_id" if cell.split == "author" else "subreddit",
            validation_share=options.validation_share,
            test_share=options.test_share,
            seed=cell.seed,
        )
    return split_samples(samples, usable, settings)


def restricted(samples: pa.Table, groups: tuple[str, ...]) -> pa.Table:
    """Samples in which nothing can be learned from but some groups of features.

    Vectors of the other groups are dropped, their numbers and texts are null.
    """
    dropped = [space for space in SPACES if space not in groups]
    if TEXTS not in groups:
        dropped += text_columns(samples.schema.names)
    samples = samples.drop_columns([name for name in dropped if name in samples.schema.names])
    nulled = [name for group, names in NUMERIC.items() if group not in groups for name in names]
    if EXTRA not in groups:
        nulled.append(EXTRA)
    return emptied(samples, nulled)


def _file(folder: Path, plan: Plan, cell: Cell) -> Path:
    return folder / "cells" / f"{cell.key(plan)}.parquet"


def _command(file: Path, home: str, folder: Path, key: str) -> str:
    words = ["mmrl", "experiment", str(file), "--cell", key, "--out", str(folder), "--home", home]
    return shlex.join(words)
