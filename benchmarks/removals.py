"""Chances of removal: how well a law of removal is found, on worlds that the sandbox makes.

    python -m benchmarks.removals [--posts 10000] [--seeds 3] [--share 0.06] [--until 0.5]

Makes posts, and what looks at 0.5, 4 and 40 hours saw of them, as tables; learns from the older
ones, and is judged on the newest fifth. With `--until`, all is as known after that share of the
world's time, as a daily training knows it: the newest posts have not matured. Shows the Brier score
and the AUC with their intervals, beside the subreddits' rates and the AUC of the law itself.
"""

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.removals import learn_removals
from mmrl.samples.removals import posts_with_fates
from mmrl.sandbox import World
from mmrl.sandbox.removals import chances

LOOKS = (0.5, 4.0, 40.0)  # hours
REMOVED_AFTER = 3.0


def fill(catalog: Catalog, world: World) -> None:
    """A world's posts and what looks saw of them."""
    posts, seen = [], []
    for post in world:
        created = datetime.fromtimestamp(post.created, UTC)
        posts.append(
            {"post_id": post.id, "subreddit": world.subreddits[post.subreddit].name,
             "title": post.title, "author_id": None if post.author is None else str(post.author),
             "created_at": created, "first_seen_at": created + timedelta(hours=LOOKS[0]),
             "over_18": post.over_18, "spoiler": post.spoiler, "is_gallery": False,
             "is_video": False, "source": "sandbox"}
        )  # fmt: skip
        for hours in LOOKS:
            gone = post.kind == "removed" and hours > REMOVED_AFTER
            seen.append(
                {"post_id": post.id, "observed_at": created + timedelta(hours=hours), "score": 1,
                 "settled": hours > 36, "removed_by": "moderator" if gone else None}
            )  # fmt: skip
    for name, rows in (("posts", posts), ("observations", seen)):
        catalog.upsert(name, pa.Table.from_pylist(rows, schema=SCHEMAS[name]))


def said(measure: Measure) -> str:
    return f"{measure.value:.4f} ({measure.low:.4f} to {measure.high:.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.06)
    parser.add_argument("--until", type=float, help="0 to 1; unset: when all posts have matured")
    given = parser.parse_args()
    for seed in range(given.seeds):
        world = World.make(given.posts, seed, removals=given.share)
        with tempfile.TemporaryDirectory() as folder:
            catalog = Catalog.open(Path(folder) / "home", create=True)
            fill(catalog, world)
            as_of = world.end + timedelta(days=2)
            if given.until is not None:
                as_of = world.start + given.until * (world.end - world.start)
            posts = posts_with_fates(catalog, Settings(), as_of)
        _, result = learn_removals(posts, seed)
        if result is None:
            print(f"world {seed}: too few removed posts are known")
            continue
        test = set(posts["post_id"].to_pylist()[-result.test_posts :])
        image = [post for post in world if post.kind in ("image", "removed")]
        by_law = dict(
            zip(
                (post.id for post in image),
                chances(image, len(world.subreddits), given.share, seed),
                strict=True,
            )
        )
        known = [post for post in image if post.id in test]
        gone = np.array([post.kind == "removed" for post in known])
        law = np.array([by_law[post.id] for post in known])
        ranks = np.argsort(np.argsort(law + 1e-9 * np.random.default_rng(0).random(len(law)))) + 1
        above = ranks[gone].sum() - gone.sum() * (gone.sum() + 1) / 2
        ceiling = above / (gone.sum() * (~gone).sum())
        print(
            f"world {seed}: learned from {result.posts:,} posts ({result.removed} removed), judged "
            f"on {result.test_posts:,} ({result.test_removed}); Brier {said(result.brier)}, of the "
            f"rates {said(result.brier_of_rate)}, difference {said(result.difference)}; AUC "
            f"{said(result.auc)}, of the rates {said(result.auc_of_rate)}, of the law itself "
            f"{ceiling:.4f}; shown: {'yes' if result.shown else 'no'}"
        )
        for part in result.reliability:
            print(f"   said {part.said:.1%}, came so {part.came:.1%} ({part.posts:,} posts)")


if __name__ == "__main__":
    main()
