"""Tries hostile and broken input of every kind on mmrl, and counts what it held against.

    python -m benchmarks.faults [--scale 1] [--seed 0] [--kills 4]

Prints a row a kind: inputs tried, held, lost. *Lost* is an error that is none of mmrl's own, a good
post beside a bad one that is gone, an address let through, a file that one stage takes and another
refuses, markup or a control sign that gets out, a run that differs after a kill. Each loss is
printed with the seed's number. The commands on broken model files take most of the time (about a
minute a file on a busy core); `--scale 0.1` tries a tenth of everything else.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from benchmarks.faults import broken_files, inputs
from benchmarks.kill import UNTIL_MERGE, kill_and_compare

Trials = Callable[[Random, Path, int], Iterator[str | None]]
KINDS: dict[str, tuple[Trials, int]] = {
    "mutated dump lines": (inputs.dump_lines, 10_000),
    "text tables": (inputs.text_tables, 200),
    "Parquet tables": (inputs.parquet_tables, 200),
    "addresses": (inputs.addresses, 5_000),
    "answers of hosts": (inputs.answers, 200),
    "pictures": (inputs.pictures, 2_000),
    "markup payloads": (inputs.markup, 500),
}


def probed(trials: Trials, seed: int, tries: int) -> tuple[int, list[str]]:
    """One kind: how many were tried, and what was lost, in words."""
    with tempfile.TemporaryDirectory() as folder:
        return _counted(trials(Random(seed), Path(folder), tries))


def _kills(folder: Path, kills: int, seed: int) -> Iterator[str | None]:
    for instant, _, differing in kill_and_compare(folder, kills, 40, seed, UNTIL_MERGE):
        yield f"killed at {instant:.2f} s: {differing}" if differing else None


def main() -> None:
    """Prints the table, and ends with 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=4)
    arguments = parser.parse_args()
    lost = []
    print("| kind | tried | held | lost |\n|---|---|---|---|", flush=True)
    for name, (trials, tries) in KINDS.items():
        found = probed(trials, arguments.seed, max(1, round(tries * arguments.scale)))
        lost += _row(name, *found)
    with tempfile.TemporaryDirectory() as folder:
        lost += _row(
            "commands on broken model files", *_counted(broken_files.commands(Path(folder)))
        )
    if arguments.kills:
        with tempfile.TemporaryDirectory() as folder:
            kills = _kills(Path(folder), arguments.kills, arguments.seed)
            lost += _row("kills of a run", *_counted(kills))
    print("\n".join(lost))
    sys.exit(bool(lost))


def _counted(outcomes: Iterator[str | None]) -> tuple[int, list[str]]:
    listed = list(outcomes)
    return len(listed), [outcome for outcome in listed if outcome is not None]


def _row(name: str, tried: int, lost: list[str]) -> list[str]:
    """Prints a row; returns the first losses, each with its kind."""
    print(f"| {name} | {tried:,} | {tried - len(lost):,} | {len(lost):,} |", flush=True)
    return [f"{name}: {words}" for words in lost[:5]]


if __name__ == "__main__":
    main()
