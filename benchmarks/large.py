"""What `mmrl train` costs by the number of samples: seconds, CPU and peak memory.

    python -m benchmarks.large                          30,000 samples
    python -m benchmarks.large --posts 1000000          a catalog of 11 GB, in the temporary folder
    python -m benchmarks.large --posts 100000 --max-posts 20000 50000

Samples are synthetic, with vectors of the packaged encoders' dimensions, written straight to their
tables. Each training is a process of its own, everything included: baselines, ablation, intervals.
With several values of `train.max_posts` it prints the curve that the default was chosen from; what
is judged on differs then, for the test posts are a share of those used.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from mmrl.catalog import Catalog
from tests.support.filled_home import fill_samples, packaged_samples
from tests.support.learning_samples import AS_OF

CHUNK = 10_000
SPAN_DAYS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--posts", type=int, default=30_000)
    parser.add_argument("--max-posts", type=int, nargs="*", default=[], help="train.max_posts")
    parser.add_argument("--home", type=Path, help="a folder to keep; one that is filled is reused")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        if not (home / "catalog").is_dir():
            fill(home, options.posts)
        print(f"{Catalog.open(home).count('samples'):,} samples")
        for most in options.max_posts or [None]:
            measure(home, most)


def fill(home: Path, posts: int) -> None:
    """Writes so many samples with their vectors, some thousands at a time."""
    catalog = Catalog.open(home, create=True)
    (home / "mmrl.toml").write_text("[filter]\nrequire_image = false\n")
    for number, start in enumerate(range(0, posts, CHUNK)):
        fill_samples(catalog, packaged_samples(min(CHUNK, posts - start), number, days=SPAN_DAYS))
    catalog.compact()


def measure(home: Path, most: int | None) -> None:
    """Trains once and prints what it cost and what it reached."""
    given = {} if most is None else {"MMRL_TRAIN__MAX_POSTS": str(most)}
    command = [sys.executable, "-m", "mmrl", "train", "--force", "--json", "--home", str(home)]
    process = subprocess.Popen(
        [*command, "--as-of", AS_OF.isoformat()],
        env={**os.environ, **given},
        stdout=subprocess.PIPE,
        text=True,
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output, _ = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode:
        sys.exit(f"mmrl train ended with {process.returncode}")
    found = json.loads(output)
    metrics = found["evaluation"]["models"]["mmrl"]["metrics"]
    splits = found["evaluation"]["splits"]
    parts = " + ".join(f"{splits[part]['posts']:,}" for part in ("train", "validation", "test"))
    reached = ", ".join(
        f"{name} {metrics[name]['value']:.3f} [{metrics[name]['low']:.3f}, "
        f"{metrics[name]['high']:.3f}]"
        for name in ("spearman", "rmse_log")
    )
    print(
        f"{parts} posts, {splits['thinned_out']:,} left out: {found['seconds']:.0f} s, "
        f"{used:.0f} s of CPU, "
        f"peak {found['peak_bytes'] / 1e9:.2f} GB; {reached}",
        flush=True,
    )


if __name__ == "__main__":
    main()
