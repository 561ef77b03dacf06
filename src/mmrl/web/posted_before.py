"""Whether a draft's picture was posted before, by its perceptual hash, and what became of it."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.images.image import ImageFacts
from mmrl.runtime.foreign_text import shown
from mmrl.samples.reposts import image_key
from mmrl.web.pictures import Picture
from mmrl.web.wording import day_of

_TOLD = 3  # posts of one picture


def posted_before(catalog: Catalog, samples: pa.Table, pictures: Iterable[Picture]) -> list[str]:
    """A sentence for each of the pictures that was posted before.

    Args:
        samples: post_id, subreddit, created_at and score of posts, as of now.
    """
    sentences = []
    for picture in pictures:
        posts = _posts_of(catalog, samples, picture.facts)
        if posts:
            times = f"{len(posts):,} times before" if len(posts) > 1 else "before"
            told = "; ".join(_told(post) for post in posts[:_TOLD])
            sentences.append(f"{shown(picture.name)} was posted {times}: {told}.")
    return sentences


def _posts_of(catalog: Catalog, samples: pa.Table, facts: ImageFacts) -> list[dict[str, Any]]:
    """Posts of the same picture, the newest first."""
    key = image_key(facts.sha256, facts.phash)
    column = "phash" if key == facts.phash else "sha256"
    hashes = catalog.read("images", ["sha256"], f"{column} = {quote(key)}")["sha256"]
    ids = catalog.lookup("post_images", "sha256", hashes, ["post_id"])["post_id"]
    found = samples.filter(pc.is_in(samples["post_id"], value_set=ids.combine_chunks()))
    rows: list[dict[str, Any]] = found.sort_by([("created_at", "descending")]).to_pylist()
    return rows


def _told(post: dict[str, Any]) -> str:
    score = "its score has not settled" if post["score"] is None else f"score {post['score']:,}"
    return f"in r/{post['subreddit']} on {day_of(post['created_at'])}, {score}"
