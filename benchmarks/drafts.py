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
from mmrl.serving.answers.explain import explain
from mmrl.serving.answers.when import when
from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.inputs.hours import next_seven_days
from mmrl.serving.ranks.rank import Predictor
from mmrl.times import parse_time

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
    home, as_of = mmrl.open(given.home), parse_time(given.as_of)
    predictor = Predictor.open(home.catalog, home.settings, as_of)
    print(f"a model opened: {time.process_time() - started:.1f} s of CPU")
    photos, number = [photo(seed) for seed in range(10)], count()
    places = sorted(predictor.registered.model.encoding.spec.subreddits)[:5]

    def fresh(data: bytes) -> ImageFile:
        return ImageFile("a.jpg", unseen(data, next(number)))

    def one(image: ImageFile) -> Drafts:
        return Drafts(["Lake at dawn"], places[:1], [image])

    titles = [f"Title number {number} of the lake at dawn" for number in range(10)]
    hours = next_seven_days(as_of)

    def many(images: list[ImageFile]) -> Drafts:
        return Drafts(titles, places, images, hours)

    kept = [fresh(data) for data in photos]
    cpu("one draft, an unseen picture", lambda: predictor.rank(one(fresh(photos[0]))))
    cpu("one draft", lambda: predictor.rank(one(kept[0])))
    cpu("hours", lambda: when(predictor, one(kept[0])))
    cpu("reasons", lambda: explain(predictor, one(kept[0])))
    cpu("84,000 drafts, unseen pictures", lambda: predictor.rank(many(list(map(fresh, photos)))), 1)
    cpu("84,000 drafts", lambda: predictor.rank(many(kept)), 1)


if __name__ == "__main__":
    main()
