"""A new user's three paths, as docs/compared.md counts them, timed.

    python -m benchmarks.paths                     300 posts of ../shared/data/lospec_palettes
    python -m benchmarks.paths --posts 1000

1. A CSV with pictures to a leaderboard, in Python as a notebook has it.
2. The same to a LaTeX table, by commands.
3. That home to a dataset that `datasets` loads.

Prints the seconds of each command or piece of Python, each in a process of its own, and how many
others wanted the processor meanwhile.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUBREDDIT = "Palettes"  # which the table does not say
LEADERBOARD = f"""
import mmrl
home = mmrl.init("notebook")
home.import_table("posts.csv", images="images/", subreddit="{SUBREDDIT}")
home.run()
home.models.leaderboard()
"""
LOADED = """
import datasets
datasets.load_dataset("out")["train"][0]
"""
COMMANDS = (
    f"import table posts.csv --images images/ --subreddit {SUBREDDIT} --home earth",
    "run --home earth",
    "models show --format latex --home earth",
)
EXPORT = "export images --to out --format hf --home earth"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--posts", type=int, default=300)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/lospec_palettes"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(f"{subset(options.data, place, options.posts)} posts")
        print("1. A CSV to a leaderboard")
        python(LEADERBOARD, place)
        print("2. A CSV to LaTeX")
        for command in COMMANDS:
            mmrl(command, place)
        print("3. A home to a dataset")
        mmrl(EXPORT, place)
        python(LOADED, place)


def subset(data: Path, place: Path, most: int) -> int:
    """Writes posts spread over the table's time, and their pictures; returns how many."""
    with (data / "palettes.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["created_utc"])
    rows = rows[:: max(1, len(rows) // most)][:most]
    (place / "images").mkdir()
    for row in rows:
        shutil.copy(data / "images" / f"{row['id']}.png", place / "images")
    with (place / "posts.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return len(rows)


def python(code: str, place: Path) -> None:
    lines = len(code.strip().splitlines())
    _timed(f"{lines} lines of Python", [sys.executable, "-c", code], place)


def mmrl(command: str, place: Path) -> None:
    _timed(f"mmrl {command}", [sys.executable, "-m", "mmrl", *command.split()], place)


def _timed(name: str, command: list[str], place: Path) -> None:
    began = time.perf_counter()
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    seconds, load = time.perf_counter() - began, os.getloadavg()[0]
    print(f"   {name}: {seconds:.1f} s (load {load:.1f})", flush=True)


if __name__ == "__main__":
    main()
