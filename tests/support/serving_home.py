"""A small home with real images and the packaged encoders' vectors, a model, and a post just up."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.columns import EMBEDDED
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import ImageSettings
from mmrl.images.image import ImageFacts
from mmrl.images.probe import probe
from mmrl.pipeline import Silent
from mmrl.pipeline import run as pipeline
from tests.support.filled_home import SETTINGS
from tests.support.image_server import image_file
from tests.support.learning_samples import AS_OF

NOW = AS_OF + timedelta(days=1)
POSTS = 40  # matured ones, in the two subreddits
SUBREDDITS = ("aww", "pics")
UP = "up"  # the post that is just up, in the first of them
STAGES = ("measure-images", "caption", *(f"embed-{space}" for space in EMBEDDED), "merge")
_OBSERVED = {
    "subscribers": 100_000,
    "author_link_karma": 50,
    "author_comment_karma": 8,
    "author_created_at": AS_OF - timedelta(days=900),
    "settled": True,
}


def title_of(number: int) -> str:
    """The title of a matured post."""
    things = ("lake", "cat", "old bridge", "bowl of soup", "nebula", "harbour")
    return f"A {things[number % len(things)]} that I saw on day {number}, is it real?"


def make_serving_home(folder: Path, trained_home: Path) -> Path:
    """Fills a copy of a home that holds a model of the packaged encoders."""
    home = folder / "home"
    shutil.copytree(trained_home, home)
    catalog = Catalog.open(home)
    posts, observations, images, shown = [], [], [], []
    for number in range(POSTS + 1):
        live = number == POSTS
        created = NOW if live else NOW - timedelta(hours=48 + 6 * number)
        post_id = UP if live else f"p{number}"
        posts.append(
            {
                "post_id": post_id,
                "subreddit": SUBREDDITS[number % 2],
                "title": title_of(number),
                "author_id": f"a{number % 5}",
                "author_name": f"Author{number % 5}",
                "created_at": created,
                "permalink": f"/r/{SUBREDDITS[number % 2]}/comments/{post_id}/",
                **dict.fromkeys(("over_18", "spoiler", "is_gallery"), False),
                "first_seen_at": created,
                "source": "table:posts.csv",
            }
        )
        seen = [(0, 1)] if live else [(0, 1), (36, 3 * number)]
        observations += [
            {"post_id": post_id, "observed_at": created + timedelta(hours=age), "score": score}
            | _OBSERVED
            for age, score in seen
        ]
        images.append(_image(image_file(number)))
        shown.append((post_id, images[-1]["sha256"]))
    rows: dict[str, list[dict[str, Any]]] = {
        "posts": posts,
        "observations": observations,
        "images": images,
        "selection": [
            {"post_id": post["post_id"], "rules": "r", "decided_at": NOW} for post in posts
        ],
        "post_images": [
            {"post_id": post, "sha256": sha256, "fetched_at": NOW, "final_url": ""}
            for post, sha256 in shown
        ],
    }
    for table, items in rows.items():
        catalog.upsert(table, pa.Table.from_pylist(items, schema=SCHEMAS[table]))
    pipeline.run(catalog, SETTINGS, STAGES, NOW, Silent())
    return home


def _image(data: bytes) -> dict[str, Any]:
    facts = probe(data, ImageSettings())
    assert isinstance(facts, ImageFacts)
    return {**vars(facts), "bytes": data}
