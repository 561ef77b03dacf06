"""Start-up: what commands cost that find nothing to do.

    python -m benchmarks.startup [--times 7]

Runs `mmrl --help`, and `mmrl run`, `mmrl status`, `mmrl models list` and `mmrl predict` (of a
picture of the home) on a home that is up to date (the one of tests/test_earlier_home.py), each in a
process of its own with its bytecode cached, as after an installation. Shows the quickest of the
tries and their median, and the machine's load beside them.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmrl.catalog import Catalog
from tests.support.earlier_home import AS_OF, train_variables, unpack_earlier_home


def measure(arguments: list[str], variables: dict[str, str]) -> tuple[float, float]:
    """Seconds by the clock, and of CPU, that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mmrl", *arguments], env=variables, capture_output=True, check=True
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        unpack_earlier_home(home)
        variables = {**os.environ, **train_variables(), "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        at = ["--home", str(home), "--as-of", AS_OF]
        print(f"load {os.getloadavg()[0]:.1f}; seconds, the quickest (the median) of {times}")
        picture = Path(folder) / "1.jpg"
        picture.write_bytes(Catalog.open(home).read("images", ["bytes"])["bytes"][0].as_py())
        commands = {
            "--help": [],
            "run": at,
            "status": at,
            "models list": ["--home", str(home)],
            "predict": [str(picture), "--title", "Lake at dawn", "--subreddit", "SimPics", *at],
        }
        for name, options in commands.items():
            arguments = [*name.split(), *options]
            measure(arguments, variables)  # compiles, and does what is to be done
            taken = [measure(arguments, variables) for _ in range(times)]
            shown = [f"{min(x):.2f} ({statistics.median(x):.2f})" for x in zip(*taken, strict=True)]
            print(f"mmrl {name:<11} by the clock {shown[0]}, of CPU {shown[1]}")


if __name__ == "__main__":
    main()
