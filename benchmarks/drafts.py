"""Drafts in one process: seconds of CPU of a ranking, of hours and of reasons.

    OMP_NUM_THREADS=1 python -m benchmarks.drafts --home demo --as-of 2026-08-11T21:00

Seconds of CPU are about the same on a busy machine. "Unseen" pictures are files that no request
brought before; the others were read and encoded for an earlier question.
"""

import argparse
import time
from collections.abc import Callable
from itertools import count

import mmrl
from benchmarks.serve import photo, unseen
from mmrl.serving.inputs.drafts import Drafts

TIMES = 10


def cpu(name: str, work: Callable[[], object], times: int = TIMES) -> None:
    """Shows what a piece of work takes, once it was done once."""
    work()
    started = time.process_time()
    for _ in range(times):
        work()
    print(f"{name}: {1000 * (time.process_time() - started) / times:.0f} ms of CPU", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", default="demo")
    parser.add_argument("--as-of")
    given = parser.parse_args()
    started = time.process_time()
    home = mmrl.open(given.home)
    ranker = home.ranker(as_of=given.as_of)
    print(f"version {ranker.version} opened: {time.process_time() - started:.1f} s of CPU")
    photos, number = [photo(seed) for seed in range(10)], count()
    places = [known.name for known in home.communities(given.as_of)[:5]]

    def fresh(data: bytes) -> bytes:
        return unseen(data, next(number))

    def one(image: bytes) -> Drafts:
        return ranker.drafts(["Lake at dawn"], places[:1], [image])

    titles = [f"Title number {number} of the lake at dawn" for number in range(10)]

    def many(images: list[bytes]) -> Drafts:
        return ranker.drafts(titles, places, images, hours="best")

    kept = [fresh(data) for data in photos]
    cpu("one draft, an unseen picture", lambda: ranker.rank(one(fresh(photos[0]))))
    cpu("one draft", lambda: ranker.rank(one(kept[0])))
    cpu("hours", lambda: ranker.when(one(kept[0])))
    cpu("reasons", lambda: ranker.why(one(kept[0])))
    cpu("84,000 drafts, unseen pictures", lambda: ranker.rank(many(list(map(fresh, photos)))), 1)
    cpu("84,000 drafts", lambda: ranker.rank(many(kept)), 1)


if __name__ == "__main__":
    main()
