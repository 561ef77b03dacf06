"""What the answers about drafts are worth: covered squares, compared pairs, the top tenth, search.

    python -m benchmarks.answers --home demo --as-of 2026-08-11T21:00    some minutes
    python -m benchmarks.answers --vectors 1000000                       the search alone

1. Deletion: in images of the model's test posts, the nine squares of 36 are covered at once that by
   the occlusion map matter most, in the way in which the image's squares matter together; and nine
   random ones. The first must move the prediction more.
2. Pairs: of two test posts of one subreddit that went up within an hour, how often the first did
   better, by what the comparison said.
3. Top tenth: how many test posts ended there, by the chance that was given.
4. Search: milliseconds and recall at 10 of the index, over made-up vectors around 2,000 centres.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import mmrl
from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import TIME
from mmrl.catalog.tables import embeddings, embeddings_table
from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.statistics import pairs_within_an_hour
from mmrl.learning.registry.registry import Registry
from mmrl.learning.targets import column
from mmrl.samples.features import microseconds
from mmrl.serving.answers.occlude import GRID, lost_without, occlude
from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.ranks.compare import shared_error
from mmrl.serving.ranks.rank import Predictor
from mmrl.serving.ranks.spread import chance_above, value_at
from mmrl.times import parse_time

COVERED = 9  # squares of GRID x GRID
DRAWS = 5  # random covers of an image
DIM = 384
POINTS = 49


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", default="demo")
    parser.add_argument("--as-of")
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--vectors", type=int, help="search so many vectors, and nothing else")
    given = parser.parse_args()
    if given.vectors:
        search(given.vectors)
        return
    home = mmrl.open(given.home)
    predictor = Predictor.open(home.catalog, home.settings, parse_time(given.as_of))
    test = Registry(home.address).test_predictions(predictor.registered.version)
    deletion(predictor, test, given.images)
    pairs(test)
    top_tenth(predictor, test)


def deletion(predictor: Predictor, test: pa.Table, most: int) -> None:
    catalog, rng = predictor.catalog, np.random.default_rng(0)
    shown = catalog.lookup("post_images", "post_id", test["post_id"]).sort_by("post_id")
    marked, random = [], []
    for row in shown.slice(0, most).to_pylist():
        (post,) = catalog.read("posts", where=f"post_id = {quote(row['post_id'])}").to_pylist()
        files = catalog.lookup("images", "sha256", [row["sha256"]], ["bytes"])
        data = files["bytes"][0].as_py()
        draft = Drafts([post["title"]], [post["subreddit"]], [ImageFile(row["sha256"], data)])
        worth = occlude(predictor, draft).values.ravel()
        way = np.sign(worth.sum())  # squares of unlike ways would cancel each other
        covers = [np.argsort(-way * worth)[:COVERED].tolist()]
        covers += [rng.choice(GRID**2, COVERED, replace=False).tolist() for _ in range(DRAWS)]
        moved = np.abs(lost_without(predictor, draft, covers)[0])
        marked.append(moved[0])
        random.append(moved[1:].mean())
    more = np.mean(np.array(marked) > np.array(random))
    print(
        f"1. {len(marked)} images, {COVERED} of {GRID**2} squares covered: the prediction moves by "
        f"{np.mean(marked):.3f} where they are said to matter, {np.mean(random):.3f} at random "
        f"({np.mean(marked) / np.mean(random):.2f} times); more in {more:.0%} of the images"
    )


def quantiles_of(test: pa.Table) -> np.ndarray:
    return np.stack([column(test, name) for name in ("q10", "q50", "q90")], axis=1)


def pairs(test: pa.Table) -> None:
    truth, quantiles = truth_of(test), quantiles_of(test)
    one, other = pairs_within_an_hour(truth)
    shared = shared_error(test, "log_score")
    z = (np.arange(POINTS) + 0.5) / POINTS
    from scipy.special import ndtri

    points = ndtri(z)
    own = shared * points[:, None] + np.sqrt(1 - shared**2) * points[None]
    first = value_at(quantiles[one][:, None, None], points[None, :, None])
    second = value_at(quantiles[other][:, None, None], own[None])
    chance = (first > second).mean(axis=(1, 2))
    won = truth.log_score[one] > truth.log_score[other]
    chance, won = np.where(chance < 0.5, 1 - chance, chance), np.where(chance < 0.5, ~won, won)
    print(f"2. {len(one):,} pairs within an hour, shared error {shared:.2f}:")
    for low, high in ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 1.0)):
        rows = (chance >= low) & (chance < high)
        if rows.any():
            print(
                f"   said {chance[rows].mean():.0%}, came so {won[rows].mean():.0%} "
                f"({rows.sum():,} pairs)"
            )


def top_tenth(predictor: Predictor, test: pa.Table) -> None:
    created = microseconds(test["created_at"].cast(TIME))
    level = predictor.known.standings.level(test["subreddit"], created, 0.9)
    known = ~np.isnan(level)
    chance = chance_above(quantiles_of(test)[known], level[known])
    there = column(test, "log_score")[known] >= level[known]
    print(f"3. {known.sum():,} test posts, {there.mean():.0%} of them in the top tenth:")
    for low, high in ((0, 0.05), (0.05, 0.15), (0.15, 0.3), (0.3, 1.0)):
        rows = (chance >= low) & (chance < high)
        if rows.any():
            print(
                f"   said {chance[rows].mean():.0%}, came so {there[rows].mean():.0%} "
                f"({rows.sum():,} posts)"
            )


def search(count: int, asked: int = 50) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2_000, DIM)).astype(np.float32)
    table = embeddings_table("title", DIM)
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.open(Path(folder) / "home", create=True)
        for start in range(0, count, 50_000):
            vectors = centres[rng.integers(0, 2_000, 50_000)]
            vectors = vectors + 0.8 * rng.normal(size=vectors.shape).astype(np.float32)
            columns = {
                "content": [f"{start + row:064d}" for row in range(len(vectors))],
                "encoder": ["e"] * len(vectors),
                "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), DIM),
            }
            catalog.append(table, pa.table(columns).cast(embeddings(DIM)))
        questions = vectors[:asked] + 0.4 * rng.normal(size=(asked, DIM)).astype(np.float32)
        exact = [nearest(catalog, table, vector)[0] for vector in questions[:10]]
        flat = np.mean([nearest(catalog, table, vector)[1] for vector in questions[:10]])
        started = time.perf_counter()
        catalog.compact([table])
        built = time.perf_counter() - started
        for vector in questions[-2:]:  # the index comes into memory
            nearest(catalog, table, vector)
        found = [nearest(catalog, table, vector) for vector in questions]
        recall = np.mean([len(a & b) / 10 for a, (b, _) in zip(exact, found, strict=False)])
        times = np.array([taken for _, taken in found]) * 1e3
        print(
            f"4. {count:,} vectors of {DIM}: {np.median(times):.0f} ms (p99 "
            f"{np.percentile(times, 99):.0f}), recall at 10 {recall:.3f}; without an index "
            f"{flat * 1e3:.0f} ms; index made in {built:.0f} s"
        )


def nearest(catalog: Catalog, table: str, vector: np.ndarray) -> tuple[set[str], float]:
    started = time.perf_counter()
    found = catalog.nearest(table, vector, 10, ["content"])["content"].to_pylist()
    return set(found), time.perf_counter() - started


if __name__ == "__main__":
    main()
