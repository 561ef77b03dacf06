"""Kills `mmrl run` with SIGKILL at random instants and checks that nothing is lost or doubled.

    python -m benchmarks.kill [--kills 20] [--posts 90] [--seed 0] [--until-merge]

One home is run undisturbed. Each other home gets the same posts, is killed at a random instant of
its run, and is run again to its end. Every table must then hold the same rows as the undisturbed
one: none missing, none twice, vectors equal within 1e-5.
"""

import argparse
import csv
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from benchmarks.s3_server import copy_home
from mmrl.catalog import Catalog
from mmrl.catalog.columns import key_columns

AS_OF = "2026-06-01T00:00:00Z"
WITHIN = 1e-5
UNTIL_MERGE = ["filter", "fetch-images", "measure-images", "caption", "embed", "merge"]
FAST = {
    "MMRL_TRAIN__BOOTSTRAP": "100",
    "MMRL_TRAIN__ABLATION": "false",
    "MMRL_TRAIN__MIN_SAMPLES": "50",
    "DO_NOT_TRACK": "true",
}


def write_posts(folder: Path, posts: int, seed: int) -> Path:
    """A CSV of posts and a folder of their images, all made up from the seed."""
    generator = random.Random(seed)
    (folder / "images").mkdir(parents=True)
    words = ["old", "red", "quiet", "bridge", "lake", "cat", "street", "rain", "town", "finally"]
    rows = []
    for number in range(posts):
        image = Image.new("RGB", (96, 72), tuple(generator.randrange(256) for _ in range(3)))
        pen = ImageDraw.Draw(image)
        for _ in range(6):
            corner = generator.randrange(90), generator.randrange(66)
            far = corner[0] + generator.randrange(5, 60), corner[1] + generator.randrange(5, 60)
            pen.ellipse((*corner, *far), tuple(generator.randrange(256) for _ in range(3)))
        image.save(folder / "images" / f"k{number}.jpg", quality=80)
        if number % 40 == 7:  # some images are broken, so that failures are compared too
            (folder / "images" / f"k{number}.jpg").write_bytes(b"\xff\xd8\xff no image")
        rows.append(
            {
                "id": f"k{number}",
                "title": " ".join(generator.choices(words, k=6)),
                "author": f"author{number % 17}",
                "subreddit": f"sub{number % 3}",
                "created_utc": 1_760_000_000 + number * 6 * 3_600,
                "score": int(generator.lognormvariate(4, 1)),
                "image": f"images/k{number}.jpg",
            }
        )
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    table = folder / "posts.csv"
    table.write_text(buffer.getvalue(), encoding="utf-8")
    return table


def command(home: str | Path, *words: str) -> list[str]:
    """An mmrl command on a home."""
    return [sys.executable, "-m", "mmrl", *words, "--home", str(home), "--as-of", AS_OF]


def prepare(home: str | Path, posts: Path) -> None:
    """Makes a home and imports the posts."""
    subprocess.run(
        [sys.executable, "-m", "mmrl", "init", str(home)], check=True, stdout=subprocess.DEVNULL
    )
    images = str(posts.parent / "images")
    imported = command(home, "import", "table", str(posts), "--images", images)
    subprocess.run(imported, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(home: str | Path, stages: list[str], kill_after: float | None = None) -> tuple[float, bool]:
    """Runs `mmrl run`, killed after some seconds if so told.

    Returns:
        how long it ran, and whether it was killed before its end.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command(home, "run", *stages),
        env={**os.environ, **FAST},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return time.perf_counter() - started, True
    if process.returncode:
        raise RuntimeError(f"mmrl run ended with {process.returncode}: {said.decode()[-2000:]}")
    return time.perf_counter() - started, False


def differences(left: Catalog, right: Catalog) -> list[str]:
    """What differs between two catalogs, table by table; empty when nothing does."""
    found = []
    names = set(left.table_names()) | set(right.table_names())
    # A prediction names its model's random weights; marks of purged posts have a salt in `meta`,
    # and each purge a name of its own.
    for name in sorted(names - {"predictions", "meta", "purged_marks", "purged_models"}):
        a, b = left.read(name), right.read(name)
        keys = key_columns(a.schema if a.num_rows else b.schema)
        if a.num_rows != b.num_rows:
            found.append(f"{name}: {a.num_rows} rows against {b.num_rows}")
            continue
        order = [(column, "ascending") for column in keys]
        a, b = a.sort_by(order), b.sort_by(order)
        doubled = a.num_rows - a.group_by(keys).aggregate([]).num_rows
        if doubled:
            found.append(f"{name}: {doubled} keys twice")
        for column in a.column_names:
            if not _same(a[column], b[column]):
                found.append(f"{name}.{column} differs")
    return found


def _same(a: pa.ChunkedArray, b: pa.ChunkedArray) -> bool:
    if pa.types.is_fixed_size_list(a.type):
        left, right = (np.asarray(x.combine_chunks().flatten()) for x in (a, b))
        return bool(np.abs(left - right).max(initial=0) <= WITHIN)
    if pa.types.is_floating(a.type):
        left, right = (np.asarray(x.to_numpy(), dtype=float) for x in (a, b))
        return bool(np.allclose(left, right, atol=WITHIN, rtol=0, equal_nan=True))
    return a.equals(b)


def kill_and_compare(
    folder: Path, kills: int, posts: int, seed: int, stages: list[str], at: str | None = None
) -> Iterator[tuple[float, bool, list[str]]]:
    """Kills as many runs; for each: the instant, whether it was hit, what differed after.

    Args:
        at: where the homes lie whose runs are killed, such as `s3://bucket/homes`; the folder
            unless given. The undisturbed one lies in the folder.
    """
    fresh, calm = folder / "fresh", folder / "calm"
    prepare(fresh, write_posts(folder, posts, seed))
    shutil.copytree(fresh, calm)
    whole, _ = run(calm, stages)
    reference = Catalog.open(calm)
    generator = random.Random(seed)
    for number in range(kills):
        home = f"{at or folder}/killed{number}"
        copy_home(fresh, home)
        instant = generator.uniform(0.02, 0.98) * whole
        _, hit = run(home, stages, instant)
        run(home, stages)
        yield instant, hit, differences(reference, Catalog.open(home))


def main() -> None:
    """Prints a line a kill, and ends with 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--posts", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until-merge", action="store_true", help="leave training out")
    arguments = parser.parse_args()
    stages = UNTIL_MERGE if arguments.until_merge else []
    hits = bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for instant, hit, differing in kill_and_compare(
            Path(folder), arguments.kills, arguments.posts, arguments.seed, stages
        ):
            ended = "" if hit else " (had ended)"
            print(f"killed at {instant:6.2f} s{ended}: {differing or 'equal'}", flush=True)
            hits += hit
            bad += bool(differing)
    print(f"{arguments.kills} runs, {hits} killed before their end, {bad} with a difference")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
