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
        outcomes = list(trials(Random(seed), Path(folder), tries))
    return len(outcomes), [outcome for outcome in outcomes if outcome is not None]


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
    rows = {}
    for name, (trials, tries) in KINDS.items():
        rows[name] = probed(trials, arguments.seed, max(1, round(tries * arguments.scale)))
    with tempfile.TemporaryDirectory() as folder:
        found = list(broken_files.commands(Path(folder)))
        rows["commands on broken model files"] = len(found), [one for one in found if one]
    if arguments.kills:
        with tempfile.TemporaryDirectory() as folder:
            found = list(_kills(Path(folder), arguments.kills, arguments.seed))
            rows["kills of a run"] = len(found), [one for one in found if one]
    print("| kind | tried | held | lost |\n|---|---|---|---|")
    for name, (tried, lost) in rows.items():
        print(f"| {name} | {tried:,} | {tried - len(lost):,} | {len(lost):,} |")
    for name, (_, lost) in rows.items():
        for words in lost[:5]:
            print(f"{name}: {words}")
    sys.exit(any(lost for _, lost in rows.values()))


if __name__ == "__main__":
    main()
