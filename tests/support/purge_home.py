"""A home with posts whose every byte can be looked for, and the search itself."""

import random
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from lance.file import LanceFileReader

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.catalog.columns import COLOUR_BINS, COLOURS, EMBEDDED, IMAGE_STATISTICS
from mmrl.catalog.keys import image_content, text_content, visual_content
from mmrl.catalog.tables import SCHEMAS, embeddings
from mmrl.config import Settings
from mmrl.encoders.image_text import READER
from mmrl.pipeline import Silent
from mmrl.purge.run import PurgeReport, erase

START = datetime(2026, 3, 2, tzinfo=UTC)
AS_OF = START + timedelta(days=20)
DIM = 16


@dataclass(frozen=True)
class Post:
    """What a post holds; all of it random, so that nothing can be squeezed out of sight."""

    post_id: str
    title: str
    author: str
    author_id: str
    image: bytes
    caption: str
    shown: str
    tags: str
    vectors: dict[str, np.ndarray]

    @property
    def measured(self) -> str:
        """What stands beside the statistics of its image."""
        return f"measured {image_content(self.image)[:24]}"

    @property
    def traces(self) -> dict[str, bytes]:
        """Byte strings, any of which would show that the post is still somewhere."""
        return {
            "id": self.post_id.encode(),
            "title": self.title.encode(),
            "author's name": self.author.encode(),
            "author's id": self.author_id.encode(),
            "image": self.image[5_000:5_040],
            "caption": self.caption.encode(),
            "text in its image": self.shown.encode(),
            "tags": self.tags.encode(),
            "statistics": self.measured.encode(),
            **{f"{space} vector": v.tobytes()[8:40] for space, v in self.vectors.items()},
        }


def make_post(**given: Any) -> Post:
    vectors = {
        space: np.random.default_rng(secrets.randbits(60)).random(DIM, np.float32)
        for space in EMBEDDED
    }
    chosen: dict[str, Any] = {
        "post_id": "z" + "".join(random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=11)),
        "title": f"Of {secrets.token_hex(20)}",
        "author": f"by_{secrets.token_hex(8)}",
        "author_id": secrets.token_hex(6),
        "image": secrets.token_bytes(20_000),
        "caption": f"cup {secrets.token_hex(12)}",
        "shown": f"sale {secrets.token_hex(12)}",
        "tags": f"blue {secrets.token_hex(12)}",
        "vectors": vectors,
    }
    return Post(**{**chosen, **given})


def keep(catalog: Catalog, posts: list[Post], *, hours: float = 0, source: str = "reddit") -> None:
    """Writes posts with all that belongs to them, as the stages would."""
    created = START + timedelta(hours=hours)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    vectors: dict[str, list[dict[str, Any]]] = {}
    for post in posts:
        own = {"post_id": post.post_id}
        sha = image_content(post.image)
        rows["posts"].append(
            {
                **own,
                "subreddit": "pics",
                "title": post.title,
                "author_id": post.author_id,
                "author_name": post.author,
                "created_at": created,
                "flair": post.tags,
                "permalink": f"/r/pics/comments/{post.post_id}/x/",
                "url": f"https://i.redd.it/{post.post_id}.jpg",
                "first_seen_at": created,
                "source": source,
            }
        )
        rows["observations"].append({**own, "observed_at": created, "score": 1, "subscribers": 9})
        rows["extra_features"].append({**own, "name": "tags", "value": post.tags})
        rows["selection"].append({**own, "rules": "r", "decided_at": created})
        rows["post_images"].append(
            {**own, "sha256": sha, "fetched_at": created, "final_url": f"x/{post.post_id}"}
        )
        facts = {"width": 9, "height": 9, "format": "JPEG", "byte_size": 9, "phash": "0" * 16}
        rows["images"].append({"sha256": sha, **facts, "bytes": post.image})
        measures = {**dict.fromkeys(IMAGE_STATISTICS, 0.5), COLOURS: [0.1] * COLOUR_BINS}
        rows["image_statistics"].append({"sha256": sha, "version": post.measured, **measures})
        rows["image_texts"].append({"sha256": sha, "reader": READER, "text": post.shown})
        rows["captions"].append({"sha256": sha, "captioner": "c", "text": post.caption})
        contents = {
            "title": text_content(post.title),
            "caption": text_content(post.caption),
            "image": sha,
            "visual": visual_content(sha, post.title),
            "text": text_content(post.tags),
        }
        rows["samples"].append(
            {
                **own,
                "rules": "r",
                "subreddit": "pics",
                "author_id": post.author_id,
                "created_at": created,
                "first_seen_at": created,
                "title_content": contents["title"],
                "image_content": sha,
                "visual_content": contents["visual"],
                "score": 3,
                "label_observed_at": created + timedelta(hours=36),
            }
        )
        rows["predictions"].append(
            {
                **own,
                "model_version": "1",
                "predicted_at": created,
                "age_hours": 1.0,
                "q10": 1.0,
                "q50": 2.0,
                "q90": 3.0,
                "unit": "log_score",
            }
        )
        rows["checks"].append({**own, "checked_at": created})
        for space, content in contents.items():
            vectors.setdefault(space, []).append(
                {"content": content, "encoder": "e", "vector": post.vectors[space]}
            )
    for table, items in rows.items():
        if items:
            catalog.insert(table, pa.Table.from_pylist(items, schema=SCHEMAS[table]))
    for space, items in vectors.items():
        catalog.insert(
            f"embeddings_{space}_{DIM}", pa.Table.from_pylist(items, schema=embeddings(DIM))
        )
    ids = [post.post_id for post in posts]
    catalog.fail("fetch-images", [Failed(x, Reason.HTTP_ERROR, "500") for x in ids], created)
    catalog.fail(
        "import", [Failed(f"line {x}", Reason.NO_TITLE, f"post {x} has no title") for x in ids],
        created,
    )  # fmt: skip


def keep_cell(catalog: Catalog, posts: list[Post], key: str = "0a1b") -> Path:
    """Writes a cell of an experiment that was judged on these posts; returns its file."""
    folder = Path(catalog.home) / "experiments" / "pictures" / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    ids = [post.post_id for post in posts]
    cell = pa.table({"post_id": ids, "log_score": [1.0] * len(ids), "q50": [0.5] * len(ids)})
    pq.write_table(cell.replace_schema_metadata({"mmrl.of": "samples"}), folder / f"{key}.parquet")
    return folder / f"{key}.parquet"


def observation(catalog: Catalog, post_id: str, at: datetime, removed_by: str | None) -> None:
    row = {"post_id": post_id, "observed_at": at, "settled": True, "removed_by": removed_by}
    catalog.insert("observations", pa.Table.from_pylist([row], schema=SCHEMAS["observations"]))


def where(home: Path, trace: bytes) -> list[str]:
    """The files under a home that hold a trace: as bytes, or once what they pack is unpacked."""
    return _search(home, {"it": trace})["it"]


def _search(home: Path, traces: Mapping[str, bytes]) -> dict[str, list[str]]:
    """The files that hold each trace; every file is read and unpacked once."""
    found: dict[str, list[str]] = {name: [] for name in traces}
    for path in sorted(home.rglob("*")):
        parts = list(_parts(path)) if path.is_file() else []
        for name, trace in traces.items():
            if any(trace in part for part in parts):
                found[name].append(str(path.relative_to(home)))
    return found


def _parts(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    tables: list[pa.Table] = []
    if path.suffix == ".lance" and data:
        tables.append(LanceFileReader(str(path)).read_all().to_table())
    elif path.suffix == ".parquet":
        tables.append(pq.read_table(path))
    elif path.suffix == ".db":
        with sqlite3.connect(path) as database:
            yield "\n".join(database.iterdump()).encode()
    for table in tables:
        for column in table.columns:
            for chunk in column.chunks:
                for buffer in chunk.buffers():
                    yield b"" if buffer is None else buffer.to_pybytes()


def traces(catalog: Catalog, post: Post) -> dict[str, list[str]]:
    """Where each trace of a post still is; empty where none is."""
    found = _search(Path(catalog.home), post.traces)
    return {name: files for name, files in found.items() if files}


def submission(post: Post, **facts: Any) -> dict[str, Any]:
    return {"id": post.post_id, "name": f"t3_{post.post_id}", "title": post.title, **facts}


def purge(catalog: Catalog, *posts: Post, reason: str = "deleted") -> PurgeReport:
    """Erases posts, and waits for nothing."""
    reasons = {post.post_id: reason for post in posts}
    return erase(catalog, Settings(), reasons, AS_OF, Silent(), sleep=lambda seconds: None)
