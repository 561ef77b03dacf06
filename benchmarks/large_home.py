"""Large homes of made-up posts, as all stages leave them, and new posts and dumps for them."""

import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from PIL import Image

from benchmarks.rows import keep
from mmrl.catalog import Catalog
from mmrl.catalog.columns import SPACES, TIME
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.tables import embeddings_table, schema_of
from mmrl.config import Settings
from mmrl.encoders.profiles import Profile
from mmrl.encoders.protocols import Caption
from mmrl.pipeline import run as pipeline
from mmrl.sources.reddit.source import to_base36
from mmrl.stages import STAGES

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(seconds=20)  # a post
DIM = 32  # numbers of a vector; they are written and never read
FLAIRS = 1_000  # of stored posts; each new one has its own
FIRST_ID = 36**6  # ids of posts count upwards, as Reddit's do
CHUNKED = [stage.name for stage in STAGES if stage.chunked]


def as_of(posts: int) -> datetime:
    """A time by which that many posts were up."""
    return START + posts * EVERY + timedelta(hours=1)


def ids(first: int, count: int) -> list[str]:
    return [to_base36(FIRST_ID + number) for number in range(first, first + count)]


def title_of(post_id: str) -> str:
    return f"Title {post_id} of a post, about as long as titles are"


def write_posts(catalog: Catalog, first: int, count: int) -> None:
    """Posts with all that the stages from filter to merge make of them."""
    post_ids = ids(first, count)
    created = times(first, count)
    images = [text_content(post_id) for post_id in post_ids]
    titles = [title_of(post_id) for post_id in post_ids]
    captions = [f"a caption of {post_id}" for post_id in post_ids]
    write_raw(catalog, post_ids, first, [f"https://i.redd.it/{post}.jpg" for post in post_ids])
    observe(catalog, first, count, timedelta(hours=37), score=7)
    stages = {stage.name: stage for stage in map(made, pipeline.expand(CHUNKED))}
    keep(
        catalog,
        "selection",
        count,
        post_id=post_ids,
        rules=[stages["filter"].rules] * count,
        decided_at=created,
    )
    keep(
        catalog,
        "images",
        count,
        sha256=images,
        width=640,
        height=480,
        byte_size=1,
        format="JPEG",
        phash="0" * 16,
        bytes=b"",
    )
    keep(
        catalog,
        "post_images",
        count,
        post_id=post_ids,
        sha256=images,
        fetched_at=created,
        final_url="",
    )
    version = stages["measure-images"].rules.split("'")[1]
    numbers = {
        field.name: 0.5
        for field in schema_of("image_statistics")
        if pa.types.is_floating(field.type)
    }
    colours = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(125 * count, np.float32)), 125)
    keep(
        catalog,
        "image_statistics",
        count,
        sha256=images,
        version=version,
        colours=colours,
        **numbers,
    )
    keep(catalog, "captions", count, sha256=images, captioner="stub captioner", text=captions)
    contents = {
        "title": map(text_content, titles),
        "caption": map(text_content, captions),
        "image": images,
        "visual": map(visual_content, images, titles),
    }
    if not first:
        contents["text"] = [text_content(f"flair {number}") for number in range(FLAIRS)]
    random = np.random.default_rng(first)
    for space, hashes in contents.items():
        hashes = list(hashes)
        vectors = pa.array(random.random(len(hashes) * DIM, dtype=np.float32))
        keep(
            catalog,
            embeddings_table(space, DIM),
            len(hashes),
            content=hashes,
            encoder=PROFILE.ids[space],
            vector=pa.FixedSizeListArray.from_arrays(vectors, DIM),
        )
    merge = stages["merge"]
    for start in range(0, count, merge.chunk):
        posts = pa.table({"key": post_ids[start : start + merge.chunk]})
        merged = merge.worker(as_of(10**8))(merge.load(catalog, posts))
        catalog.append("samples", merged.done)


def made(info: Any) -> Any:
    pipeline.load_profile = lambda settings: PROFILE  # type: ignore[attr-defined]
    return pipeline.make_stage(info, Settings())


def write_new(catalog: Catalog, home: Path, first: int, count: int) -> None:
    """New posts, with image files of their own."""
    folder = home / "files"
    folder.mkdir(exist_ok=True)
    post_ids = ids(first, count)
    for post_id in post_ids:
        pixels = hashlib.shake_256(post_id.encode()).digest(32 * 32 * 3)
        image = Image.frombytes("RGB", (32, 32), pixels)  # that looks like no other
        data = io.BytesIO()
        image.save(data, "PNG")
        (folder / f"{post_id}.png").write_bytes(data.getvalue())
    urls = [(folder / f"{post_id}.png").as_uri() for post_id in post_ids]
    write_raw(catalog, post_ids, first, urls, source="table:benchmark.csv", flairs=10**9)


def write_raw(
    catalog: Catalog,
    post_ids: list[str],
    first: int,
    urls: list[str],
    source: str = "reddit",
    flairs: int = FLAIRS,
) -> None:
    """Posts as they come in, and their first observation."""
    count = len(post_ids)
    observe(catalog, first, count, timedelta(minutes=30), score=3)
    keep(
        catalog,
        "posts",
        count,
        post_id=post_ids,
        subreddit=[f"sub{number % 50}" for number in range(first, first + count)],
        title=[title_of(post_id) for post_id in post_ids],
        author_id=[f"a{number % 40_009}" for number in range(first, first + count)],
        created_at=times(first, count),
        first_seen_at=times(first, count, timedelta(minutes=30)),
        over_18=False,
        is_video=False,
        is_gallery=False,
        spoiler=False,
        image_url=urls,
        flair=[f"flair {number % flairs}" for number in range(first, first + count)],
        source=source,
    )


def observe(catalog: Catalog, first: int, count: int, age: timedelta, score: int) -> None:
    keep(
        catalog,
        "observations",
        count,
        post_id=ids(first, count),
        observed_at=times(first, count, age),
        score=score,
        settled=True,
        subscribers=100_000,
        author_link_karma=10,
    )


def times(first: int, count: int, after: timedelta = timedelta(0)) -> pa.Array:
    return pa.array([START + i * EVERY + after for i in range(first, first + count)], TIME)


def write_dump(path: Path, first: int, count: int) -> None:
    """Submissions as Arctic Shift's dumps have them."""
    with path.open("wb") as file:
        for number, post_id in enumerate(ids(first, count), first):
            created = int((START + number % 10**6 * EVERY).timestamp())
            submission = {
                "id": post_id,
                "title": title_of(post_id),
                "subreddit": f"sub{number % 50}",
                "author": f"author{number % 40_009}",
                "author_fullname": f"t2_{number % 40_009}",
                "created_utc": created,
                "retrieved_on": created + 90_000,
                "score": number % 1000,
                "num_comments": 3,
                "upvote_ratio": 0.9,
                "subreddit_subscribers": 100_000,
                "over_18": False,
                "is_video": False,
                "spoiler": False,
                "url": f"https://i.redd.it/{post_id}.jpg",
                "domain": "i.redd.it",
                "permalink": f"/r/sub{number % 50}/comments/{post_id}/title/",
                "selftext": "",
            }
            file.write(orjson.dumps(submission) + b"\n")


class Stub:
    """A model of each kind that takes no time."""

    dim, truncated = DIM, 0

    def __init__(self, role: str) -> None:
        self.id = f"stub {role}"

    def encode(self, items: Sequence[Any], texts: Sequence[str] = ()) -> np.ndarray:
        return np.ones((len(items), DIM), np.float32)

    def caption(self, images: Sequence[bytes]) -> list[Caption]:
        return [Caption(f"a caption of {hashlib.sha256(data).hexdigest()}") for data in images]


PROFILE = Profile("stub", {}, "title", {role: Stub(role) for role in (*SPACES, "captioner")})
