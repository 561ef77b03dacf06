"""The real sets: where they lie, how a user imports them, what others reached on them.

The anchors are those of the data's README, in Spearman and RMSE in log units.
"""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import zstandard

from mmrl.stages import STAGES

SHARED = Path(os.environ.get("MMRL_SHARED_DATA", "../shared/data"))

SplitName = Literal["time", "authors"]


@dataclass(frozen=True)
class Anchor:
    """What another learner reached on the same test posts."""

    label: str
    spearman: float
    rmse_log: float


@dataclass(frozen=True)
class RealSet:
    """A real set.

    Attributes:
        file: a table or a dump, in the folder of shared data; or anywhere, by its whole path.
        source: of a table with a column `source`, the one whose rows are read; None: all rows.
        importing: words of `mmrl import` after its file.
        images: the folder of its images, in the folder of shared data; None where it has none.
        stages: those that are run up to its samples.
        settings: a user's, for this set.
        splits: the ways it is split.
        anchors: by split, the strongest first.
        remarks: on how the anchors were judged otherwise.
    """

    name: str
    file: str
    kind: Literal["table", "dump"]
    importing: tuple[str, ...]
    source: str | None = None
    images: str | None = None
    stages: tuple[str, ...] = ("filter", "embed-title", "embed-text", "merge")
    settings: Mapping[str, Any] = field(default_factory=dict)
    splits: tuple[SplitName, ...] = ("time",)
    anchors: Mapping[SplitName, tuple[Anchor, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


_UNTIL_SAMPLES = tuple(takewhile(lambda name: name != "train", (stage.name for stage in STAGES)))
_NO_IMAGES = {"filter": {"require_image": False}}

SETS = (
    RealSet(
        "lospec_palettes",
        "lospec_palettes/palettes.csv",
        "table",
        ("--subreddit", "palettes", "--settled"),
        images="lospec_palettes/images",
        stages=_UNTIL_SAMPLES,
        splits=("time", "authors"),
        anchors={
            "time": (
                Anchor("AutoGluon 1.6.3, good quality, image vector (250 s)", 0.591, 0.627),
                Anchor("trees: metadata, recent, text, image vector", 0.570, 0.638),
                Anchor("trees: metadata, recent, text, colours", 0.565, 0.642),
                Anchor("AutoGluon 1.6.3, medium quality, image vector (34 s)", 0.544, 0.661),
                Anchor("trees: metadata, recent, text", 0.536, 0.667),
                Anchor("trees: metadata", 0.491, 0.719),
            ),
            "authors": (
                Anchor("trees: metadata, recent, text, colours", 0.662, 0.772),
                Anchor("trees: metadata, recent, text, image vector", 0.614, 0.807),
                Anchor("trees: metadata, recent, text", 0.556, 0.847),
                Anchor("trees: metadata", 0.440, 1.011),
            ),
        },
        remarks=(
            "anchors by time learn from all of the first 75%; mmrl leaves out the 36 hours before "
            "each part",
            "anchors by authors come from other folds, and seem to know an author's palettes of "
            "the same day, which no prediction could have known",
        ),
    ),
    RealSet(
        "earth_pics",
        "earth_pics/posts.csv.zst",
        "table",
        ("--settled",),
        source="sericsheon",
        settings=_NO_IMAGES,
    ),
    RealSet(
        "reddit_top_2013",
        "reddit_top_2013/posts.ndjson.zst",
        "dump",
        ("--settled",),
        settings=_NO_IMAGES,
    ),
)


def set_of(table: Path, features: Sequence[str]) -> RealSet:
    """A table of one's own, with settled scores, learned from by titles and what else it says.

    Args:
        features: columns that were known when a post went up.
    """
    chosen = [word for name in features for word in ("--feature", name)]
    return RealSet(
        table.name.split(".")[0],
        str(table.resolve()),
        "table",
        ("--settled", *chosen),
        settings=_NO_IMAGES,
    )


def authors_of(real: RealSet) -> dict[str, str]:
    """By id, the author that the file names; posts without one are left out."""
    return {row["id"]: row["author"] for row in _rows(SHARED / real.file) if row["author"]}


def import_set(real: RealSet, home: Path, most: int | None) -> list[str]:
    """Imports a set by mmrl's own command; a set that is there already stays as it is.

    Args:
        most: this many posts, spread evenly over the file; all where None.

    Returns:
        what the import says of the columns it does not read.
    """
    file = SHARED / real.file
    if most is not None or real.source is not None:
        file = _part(real, file, home.parent, most)
    words = ["import", real.kind, str(file), *real.importing]
    if real.images is not None:
        words += ["--images", str(SHARED / real.images)]
    said = mmrl(home, real, *words)
    return [line for line in said.splitlines() if line.startswith("not read:")]


def run_stages(real: RealSet, home: Path) -> None:
    """Runs the pipeline up to samples; what a kept home has already is not done again."""
    mmrl(home, real, "run", *real.stages)


def mmrl(home: Path, real: RealSet, *words: str) -> str:
    """What a command of mmrl prints; its progress is shown."""
    settings = {
        f"MMRL_{section}__{name}".upper(): str(value)
        for section, values in real.settings.items()
        for name, value in values.items()
    }
    ended = subprocess.run(
        [sys.executable, "-m", "mmrl", *words, "--home", str(home)],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:
        sys.exit(f"benchmarks.real: mmrl {words[0]} failed on {real.name}; see its message above.")
    return ended.stdout


def _rows(file: Path) -> list[dict[str, str]]:
    data = file.read_bytes()
    if file.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def _part(real: RealSet, file: Path, folder: Path, most: int | None) -> Path:
    """A file of some of a set's rows, beside its home."""
    suffix = "csv" if real.kind == "table" else "ndjson"
    part = folder / f"{real.name}-{most or 'all'}.{suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    if real.kind == "dump":
        packed = file.read_bytes()
        lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines(True)
        part.write_bytes(b"".join(lines[:: max(1, len(lines) // (most or len(lines)))][:most]))
        return part
    rows = [row for row in _rows(file) if real.source in (None, row.get("source"))]
    rows = rows[:: max(1, len(rows) // (most or len(rows)))][:most]
    with part.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return part
