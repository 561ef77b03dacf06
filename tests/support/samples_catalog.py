"""Small synthetic catalogs for the tests of samples and the merge stage."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.pipeline import Silent, run_stage
from mmrl.pipeline.stages.merge import MergeStage

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def post(post_id: str, hours: float, **facts: Any) -> dict[str, Any]:
    """A post that went up so many hours after START."""
    created = at(hours)
    return {
        "post_id": post_id,
        "subreddit": "pics",
        "title": f"Title of {post_id}",
        "author_id": "author",
        "created_at": created,
        "over_18": False,
        "spoiler": False,
        "is_gallery": False,
        "first_seen_at": created + timedelta(minutes=30),
        "source": "reddit",
        **facts,
    }


def observation(post: dict[str, Any], age_hours: float, **seen: Any) -> dict[str, Any]:
    """An observation at a post of that age."""
    return {
        "post_id": post["post_id"],
        "observed_at": post["created_at"] + timedelta(hours=age_hours),
        "subscribers": 1000,
        **seen,
    }


def image_of(post: dict[str, Any]) -> str:
    """The hash of a post's image."""
    return str(post.get("image", f"image-{post['post_id']}"))


def write(
    catalog: Catalog, posts: list[dict[str, Any]], observations: list[dict[str, Any]]
) -> None:
    """Keeps posts, each selected and with its `image`, or one of its own, and observations.

    Images of equal `phash` of posts look alike; those of posts that have none are plain.
    """
    rows = {
        "posts": posts,
        "observations": observations,
        "selection": [
            {"post_id": p["post_id"], "rules": "r", "reason": None, "decided_at": START}
            for p in posts
        ],
        "post_images": [
            {
                "post_id": p["post_id"],
                "sha256": image_of(p),
                "fetched_at": START,
                "final_url": "",
            }
            for p in posts
        ],
        "images": [
            {
                "sha256": image,
                "width": 640,
                "height": 480,
                "format": "JPEG",
                "byte_size": 1000,
                "phash": p.get("phash", "0" * 16),
                "bytes": b"",
            }
            for image, p in {image_of(p): p for p in posts}.items()
        ],
    }
    for table, items in rows.items():
        catalog.upsert(table, pa.Table.from_pylist(items, schema=SCHEMAS[table]))


def merge(catalog: Catalog, as_of: datetime, settings: Settings | None = None) -> int:
    """Runs the stage; returns how many rows were pending."""
    return run_stage(MergeStage(settings or Settings()), catalog, as_of, Silent()).pending
