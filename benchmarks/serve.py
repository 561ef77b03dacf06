"""The server: one draft, many drafts, reasons, memory, and many clients at once.

    python -m benchmarks.serve [--home HOME --as-of TIME] [--requests 2000] [--seconds 60]

Starts `mmrl serve` on loopback in a process of its own, on a home with a model (that of
tests/test_earlier_home.py unless one is given), with pictures of 12 megapixels made here. Shows
seconds by the clock, and the machine's load beside them. Every loop ends by count or by time.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
from PIL import Image

from tests.support.earlier_home import AS_OF, unpack_earlier_home

SIZE = (4000, 3000)
CLIENTS = 50
NOW = {"titles": ["Lake at dawn"], "hours": "now", "most": 1}


def photo(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    """A JPEG with large shapes and some grain, as a camera's has."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 255, (12, 16, 3), np.uint8)).resize(size)
    grain = draw.normal(0, 6, (size[1], size[0], 1))
    pixels = np.clip(np.asarray(coarse, np.float32) + grain, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=88)
    return out.getvalue()


def unseen(data: bytes, number: int) -> bytes:
    """The same picture as a file that no request brought before: with a number as its comment."""
    return data[:2] + b"\xff\xfe\x00\x0a" + f"{number:08d}".encode() + data[2:]


@contextmanager
def server(home: str, as_of: str) -> Iterator[tuple[str, psutil.Process, float]]:
    """The address and the process of a server, and the seconds until it was ready."""
    command = [sys.executable, "-m", "mmrl", "serve", "--home", home, "--as-of", as_of]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        url = next(word for word in line.split() if word.startswith("http")).rstrip("/")
        assert requests.get(f"{url}/readyz", timeout=60).status_code == 200
        yield url, psutil.Process(process.pid), time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def rank(client: Any, url: str, asked: dict[str, Any], pictures: Sequence[bytes]) -> Any:
    """One request; `client` is requests or a session of it."""
    files = [("request", (None, json.dumps(asked)))]
    files += [("picture", ("a.jpg", data)) for data in pictures]
    return client.post(f"{url}/api/v1/rank", files=files, timeout=120)


def seconds(work: Callable[[], Any]) -> float:
    """What a piece of work takes."""
    started = time.perf_counter()
    answer = work()
    assert answer.status_code == 200, answer.text[:300]
    return time.perf_counter() - started


def cpu(process: psutil.Process) -> float:
    """Seconds of CPU that the server has used so far; unlike the clock, no neighbour adds to it."""
    used = process.cpu_times()
    return float(used.user + used.system)


def p(taken: Sequence[float], share: float) -> float:
    """A quantile in milliseconds."""
    return 1000 * float(np.quantile(taken, share))


def one_draft(
    url: str, community: str, photos: Sequence[bytes], process: psutil.Process, times: int
) -> None:
    asked = NOW | {"communities": [community]}
    with requests.Session() as client:
        for data in photos:
            rank(client, url, asked, [data])
        used = cpu(process)
        order = [unseen(photos[n % len(photos)], n) for n in range(times)]
        taken = [seconds(partial(rank, client, url, asked, [data])) for data in order]
    sizes = statistics.mean(map(len, photos)) / 1e6
    print(
        f"one draft, 12 megapixels ({sizes:.1f} MB): p50 {p(taken, 0.5):.0f} ms, "
        f"p99 {p(taken, 0.99):.0f} ms of {times}, {1000 * (cpu(process) - used) / times:.0f} ms "
        "of CPU each"
    )


def many_drafts(
    url: str, names: Sequence[str], photos: Sequence[bytes], process: psutil.Process
) -> None:
    titles = [f"Title number {n} of the lake at dawn" for n in range(10)]
    asked = {"titles": titles, "communities": list(names[:5]), "hours": "best", "most": 100}
    used = cpu(process)
    rounds = [[unseen(data, 1000 + n) for data in photos[:10]] for n in range(3)]
    taken = [seconds(partial(rank, requests, url, asked, round)) for round in rounds]
    print(
        f"10 pictures x 10 titles x 5 communities x 168 hours: {min(taken):.1f} s, best of 3, "
        f"{(cpu(process) - used) / 3:.1f} s of CPU each"
    )


def reasons(url: str, community: str, photos: Sequence[bytes]) -> None:
    page = requests.post(
        url,
        files=[("file", ("a.jpg", photos[0])), ("title", (None, "Lake at dawn")),
               ("community", (None, community)), ("when", (None, "now"))],
        timeout=60,
        allow_redirects=False,
    )  # fmt: skip
    query = page.headers["location"].partition("?")[2].partition("#")[0]
    for path, name, times in (
        ("why", "reasons", 20),
        ("when", "hours", 20),
        ("like", "like it", 20),
        ("squares", "squares", 5),
    ):

        def ask(path: str = path) -> Any:
            return requests.get(f"{url}/{path}?{query}", timeout=60)

        ask()
        taken = [seconds(ask) for _ in range(times)]
        print(f"{name}: p50 {p(taken, 0.5):.0f} ms")


def memory(url: str, community: str, process: psutil.Process, times: int) -> None:
    photos = [photo(seed, (1200, 900)) for seed in range(8)]
    asked = NOW | {"communities": [community]}
    held = []
    with requests.Session() as client:
        for n in range(times):
            rank(client, url, asked, [photos[n % len(photos)]])
            if n % (times // 10) == times // 10 - 1:
                held.append(process.memory_info().rss / 1e6)
    print(f"memory over {times:,} requests, MB: {', '.join(f'{mb:.0f}' for mb in held)}")


def crowd(url: str, community: str, photos: Sequence[bytes], span: float) -> None:
    asked = NOW | {"communities": [community]}
    until = time.monotonic() + span
    statuses: Counter[int | str] = Counter()
    taken: list[float] = []

    def client(number: int) -> None:
        with requests.Session() as session:
            while time.monotonic() < until:
                started = time.perf_counter()
                try:
                    answer = rank(session, url, asked, [photos[number % len(photos)]])
                except requests.RequestException as error:
                    statuses[type(error).__name__] += 1
                    continue
                statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    taken.append(time.perf_counter() - started)
                else:
                    time.sleep(min(1.0, float(answer.headers.get("Retry-After", 1))))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        f"{CLIENTS} clients for {span:.0f} s: {dict(statuses)}; of the served p50 "
        f"{p(taken, 0.5):.0f} ms, p99 {p(taken, 0.99):.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home")
    parser.add_argument("--as-of", default=AS_OF)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    photos = [photo(seed) for seed in range(10)]
    with tempfile.TemporaryDirectory() as folder:
        home = given.home
        if home is None:
            home = str(Path(folder) / "home")
            unpack_earlier_home(Path(home))
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        with server(home, given.as_of) as (url, process, ready):
            print(
                f"from the command to ready: {ready:.1f} s, {cpu(process):.1f} of CPU", flush=True
            )
            known = requests.get(f"{url}/api/v1/communities", timeout=60).json()
            names = [one["name"] for one in known]
            one_draft(url, names[0], photos, process, 200)
            many_drafts(url, names, photos, process)
            reasons(url, names[0], photos)
            memory(url, names[0], process, given.requests)
            crowd(url, names[0], photos, given.seconds)
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
