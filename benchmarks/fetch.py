"""Speed of fetching pictures, beside img2dataset, from a server on loopback; and of measuring them.

    python -m benchmarks.fetch [--pictures 4000] [--at-once 64] [--rounds 1] [--json]
        [--img2dataset .venv-img2dataset/bin/img2dataset]

JPEG files of 1280x960 (128 kB in the mean), each with other bytes, from a server in a process of
its own:

- `mmrl`: `mmrl run fetch-images` on a home that has these posts: decodes each picture, takes its
  perceptual hash, keeps equal ones once, and writes a reason for each that failed.
- `mmrl, measured`: then `mmrl run measure-images` on that home, which no other way has.
- `img2dataset`: two processes of 32 threads, no resizing: decodes and encodes each picture anew.
- `img2dataset, as they are`: the same, but pictures that are JPEGs keep their bytes.
- `img2dataset, undecoded`: nothing is looked at, the bytes are written.

img2dataset needs an environment of its own (`uv venv .venv-img2dataset`, `uv pip install
img2dataset`); it is left out where there is none. Each way's CPU is its processes' alone, and what
a run of 8 pictures costs (imports, mostly) is taken from both CPU and seconds.
"""

import argparse
import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from mmrl.catalog import Catalog
from mmrl.catalog.tables import POSTS, SELECTION

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
FEW = 8  # pictures of a run whose cost is the start's
DISTINCT = 32  # pictures that are drawn; the others are these with another comment in the file
WIDTH, HEIGHT, GRAIN = 1280, 960, 2.0


def jpegs() -> list[bytes]:
    """The pictures that are drawn: smooth colours, edges and grain."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(DISTINCT):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.int16)
        grain = rng.normal(0, GRAIN, (HEIGHT, WIDTH, 1))
        written = io.BytesIO()
        pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(written, "JPEG", quality=85)
        files.append(written.getvalue())
    return files


def numbered(data: bytes, number: int) -> bytes:
    """A JPEG with a number as its comment: other bytes, the same pixels."""
    return data[:2] + b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big") + data[2:]


class Server(asyncio.Protocol):
    """Answers `GET /NUMBER.jpg`, one request after the other on a connection."""

    def __init__(self, files: list[bytes]) -> None:
        self._files = files

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._begun = b""

    def data_received(self, data: bytes) -> None:
        self._begun += data
        while b"\r\n\r\n" in self._begun:
            head, self._begun = self._begun.split(b"\r\n\r\n", 1)
            number = int(head.split(b" ", 2)[1][1:-4])
            body = numbered(self._files[number % DISTINCT], number)
            closes = b"connection: close" in head.lower()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
                + (b"Connection: close\r\n" if closes else b"")
                + b"Content-Length: %d\r\n\r\n" % len(body)
            )
            self._transport.write(body)
            if closes:
                self._transport.close()


async def serve() -> None:
    """Serves until its standard input ends; prints the port."""
    files = jpegs()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(files), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def serving() -> Iterator[int]:
    """The port of a server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fetch", "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of CPU of all its processes, and the largest one's memory."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}: {said.read()[-2000:]!r}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def by_mmrl(
    port: int, pictures: int, at_once: int, stages: tuple[str, ...] = ("fetch-images",)
) -> tuple[float, float, float]:
    """`mmrl run` of these stages on a home whose filter has kept these posts; the last is timed."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        catalog = Catalog.open(home, create=True)
        posts, decided = [], []
        for number in range(pictures):
            ours = {"post_id": f"p{number}", "title": "A picture", "subreddit": "pics"}
            ours |= {"image_url": f"http://127.0.0.1:{port}/{number}.jpg", "source": "table:bench"}
            posts.append(ours | {"created_at": AS_OF, "first_seen_at": AS_OF})
            of_post = {"post_id": f"p{number}", "rules": "r", "reason": None, "decided_at": AS_OF}
            decided.append(of_post)
        catalog.upsert("posts", pa.Table.from_pylist(posts, schema=POSTS))
        catalog.upsert("selection", pa.Table.from_pylist(decided, schema=SELECTION))
        (home / "mmrl.toml").write_text(
            f"[images]\nallow_loopback = true\nconcurrency = {at_once}\nper_host = {at_once}\n"
        )
        for stage in stages:
            command = [sys.executable, "-m", "mmrl", "run", stage, "--home", str(home)]
            took = timed(command, {"DO_NOT_TRACK": "true"})
        kept = Catalog.open(home).count("images")
        if kept != pictures:
            raise SystemExit(f"mmrl kept {kept} of {pictures} pictures")
    return took


def by_img2dataset(program: Path, *options: str) -> Callable[[int, int, int], Any]:
    """img2dataset with these options, its threads in two processes."""

    def way(port: int, pictures: int, at_once: int) -> tuple[float, float, float]:
        with tempfile.TemporaryDirectory() as folder:
            addresses = [f"http://127.0.0.1:{port}/{number}.jpg\n" for number in range(pictures)]
            (Path(folder) / "urls.txt").write_text("".join(addresses))
            written = Path(folder) / "out"
            each = ["--processes_count", "2", "--thread_count", str(at_once // 2)]
            shards = ["--number_sample_per_shard", str(max(1, pictures // 4))]
            named = ["--url_list", f"{folder}/urls.txt", "--output_folder", str(written)]
            formats = ["--output_format", "webdataset", "--resize_mode", "no"]
            quiet = {"NO_ALBUMENTATIONS_UPDATE": "1", "PYTHONPATH": ""}
            took = timed([str(program), *named, *formats, *each, *shards, *options], quiet)
            kept = sum(
                json.loads(stats.read_text())["successes"] for stats in written.glob("*_stats.json")
            )
            if kept != pictures:
                raise SystemExit(f"img2dataset kept {kept} of {pictures} pictures")
        return took

    return way


def measured(way: Callable[[int, int, int], Any], port: int, given: Any) -> dict[str, float]:
    """One way's figures, what it takes to start taken off."""
    start, start_cpu, _ = way(port, FEW, given.at_once)
    seconds, cpu, memory = way(port, given.pictures, given.at_once)
    count = given.pictures - FEW
    return {
        "rate": count / (seconds - start),
        "cpu_ms": (cpu - start_cpu) / count * 1_000,
        "seconds": seconds,
        "start_cpu": start_cpu,
        "peak_bytes": memory,
    }


def main() -> None:
    """Prints a line a way; the best round of each counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pictures", type=int, default=4_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--img2dataset", type=Path, default=Path(".venv-img2dataset/bin/img2dataset")
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve())
        return
    both = ("fetch-images", "measure-images")
    ways: dict[str, Callable[[int, int, int], Any]] = {
        "mmrl": by_mmrl,
        "mmrl, measured": partial(by_mmrl, stages=both),
    }
    if given.img2dataset.is_file():
        program = given.img2dataset.absolute()
        keep = ("--skip_reencode", "True")
        ways["img2dataset"] = by_img2dataset(program)
        ways["img2dataset, as they are"] = by_img2dataset(program, *keep)
        bare = ("--disable_all_reencoding", "True")
        ways["img2dataset, undecoded"] = by_img2dataset(program, *bare)
    best: dict[str, dict[str, float]] = {}
    with serving() as port:
        for _ in range(given.rounds):
            for name, way in ways.items():
                figures = measured(way, port, given)
                if name not in best or figures["cpu_ms"] < best[name]["cpu_ms"]:
                    best[name] = figures
    if given.json:
        print(json.dumps(best))
        return
    for name, figures in best.items():
        print(
            f"{name:26s} {figures['rate']:6.0f} pictures/s  {figures['cpu_ms']:6.2f} ms of CPU each"
            f" and {figures['start_cpu']:4.1f} s to start  {figures['seconds']:6.1f} s in all "
            f" {figures['peak_bytes'] / 1e6:5.0f} MB"
        )


if __name__ == "__main__":
    main()
