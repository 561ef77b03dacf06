"""Imports of a large dump: MB of text a second, and memory, beside unpacking and the usual script.

    python -m benchmarks.dumps                 a made-up dump of 1.6 GB of text; some ten minutes
    python -m benchmarks.dumps --gigabytes 4   a larger one
    python -m benchmarks.dumps --keep FOLDER   make the dump there, or use the one there

In one run, one after the other, each in processes of its own, start and end included:

1. `zstd -dc | wc -c`: unpacking alone, the limit.
2. The usual script: zstandard and json, one line at a time; what is asked for is written to a file.
3. `mmrl import dump`, into an empty home, with all its checks, commits and marks.

First all are asked for one community in 1,000, of four such dumps in a row, then for everything, of
one. The last lines are imports of a quarter of that: memory should not follow the size.
"""

import argparse
import io
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import zstandard

from benchmarks.made_dump import WANTED, write

_TIMES = 4  # of the dump in a row, where one community is asked for
_EVERY = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock and of all processes on processors; the largest memory of all, in MB."""

    clock: float
    processor: float
    memory: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=1.6, help="of text in the dump")
    parser.add_argument("--keep", type=Path, help="folder of the dump")
    parser.add_argument("--usual", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.usual:
        usual_script(*options.usual)
        return
    with tempfile.TemporaryDirectory() as folder:
        work, kept = Path(folder), options.keep or Path(folder)
        size = int(options.gigabytes * 1e9)
        dump, quarter = made(kept, "RS_dump.zst", size), made(kept, "RS_quarter.zst", size // 4)
        print("what                                 GB    MB/s  of unpacking  CPU s a GB  peak MB")
        for name, wanted, times in (("1 in 1,000", WANTED, _TIMES), ("all", "", 1)):
            large, small = in_a_row(work, dump, times), in_a_row(work, quarter, times)
            unpacking = measured(["sh", "-c", f"zstd -dc --long=31 '{large}' | wc -c"])
            limit = size * times / 1e6 / unpacking.clock
            tell("zstd -dc | wc -c", unpacking, size * times, limit)
            usual = [sys.executable, "-m", "benchmarks.dumps", "--usual", str(large), wanted]
            cost = measured([*usual, str(work / "kept")])
            tell(f"the usual script, {name}", cost, size * times, limit)
            tell(f"mmrl import, {name}", imported(work, large, wanted), size * times, limit)
            cost = imported(work, small, wanted)
            tell(f"mmrl import, {name}", cost, size * times // 4, limit)


def in_a_row(folder: Path, dump: Path, times: int) -> Path:
    """A dump several times in a row, as frames of one file."""
    path = folder / f"{dump.stem}_{times}.zst"
    with path.open("wb") as file:
        for _ in range(times):
            file.write(dump.read_bytes())
    return path


def made(folder: Path, name: str, size: int) -> Path:
    """A made-up dump of so many bytes of text, unless it is there."""
    path = folder / name
    if not path.exists():
        write(path, size)
    return path


def imported(folder: Path, dump: Path, wanted: str) -> Cost:
    """What an import into a new home costs."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    command = [sys.executable, "-m", "mmrl", "import", "dump", str(dump), "--home", str(home)]
    return measured([*command, *(["--subreddit", wanted] if wanted else [])])


def usual_script(dump: str, wanted: str, output: str) -> None:
    """Reads a dump as is usual: one line at a time, every one parsed."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=2**31)
    with open(dump, "rb") as file, open(output, "w", encoding="utf-8") as kept:
        text = unpacker.stream_reader(file, read_across_frames=True)
        for line in io.TextIOWrapper(text, encoding="utf-8"):
            if json.loads(line)["subreddit"] == wanted or not wanted:
                kept.write(line)


def measured(command: Sequence[str]) -> Cost:
    """What a command costs, with all processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = Watch(process.pid)
    watch.start()
    code = process.wait()
    clock = time.perf_counter() - started
    watch.join()
    assert code == 0, f"{' '.join(command)} ended with {code}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(clock, used, watch.peak / 1e6)


class Watch(threading.Thread):
    """Watches the memory of a process and of those it started.

    Attributes:
        peak: bytes that they held in all at most; what several share counts once for each.
    """

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(number)
        self.peak = 0

    def run(self) -> None:
        while True:
            try:
                family = [self._root, *self._root.children(recursive=True)]
                if self._root.status() == psutil.STATUS_ZOMBIE:
                    return
            except psutil.NoSuchProcess:
                return
            held = 0
            for one in family:
                try:
                    held += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, held)
            time.sleep(_EVERY)


def tell(name: str, cost: Cost, size: int, limit: float) -> None:
    """Prints a line of the table."""
    rate = size / 1e6 / cost.clock
    used = cost.processor / (size / 1e9)
    print(
        f"{name:<34} {size / 1e9:>4.1f} {rate:>7,.0f} {rate / limit:>13.0%} {used:>11.1f} "
        f"{cost.memory:>8,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
