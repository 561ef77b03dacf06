"""Real posts from a dump or a table as a world: their titles, images, times and scores.

What a file does not tell is made up plainly: karma and subscribers do not change, comments are a
twentieth of the score, and the score a post has in the file is what it comes to in the end.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mmrl.errors import InputError
from mmrl.sandbox.world import World
from mmrl.sources.files.source import PostSource
from mmrl.sources.kinds import recognised

NO_SCORE = "no_score"
DOUBLE = "double"
_READ = ("post_id", "title", "subreddit", "created_at", "author_name", "image_url")


@dataclass(frozen=True)
class Replay:
    """A world of real posts.

    Attributes:
        left_out: posts of the file that can't be replayed, by reason: an importer's code, or
            `no_score`, or `double` for an id that came before.
        with_image: posts with an image; the others are shown as links.
    """

    world: World
    left_out: Counter[str]
    with_image: int


def replay(
    path: Path, as_of: datetime, images: Path | None = None, subreddit: str | None = None
) -> Replay:
    """Reads a file of posts as `mmrl import` does, into a world.

    Args:
        path: a table (.csv, .tsv, .parquet) or a dump (newline-JSON); .zst or not.
        as_of: the present; posts later than this are refused.
        images: the folder with a table's images. Without it there are none: the sandbox asks
            nobody else for them.
        subreddit: for a table's rows that name none; of a dump, only this one's posts.

    Raises:
        InputError: the file can't be read, or holds no post that can be replayed.
    """
    kind = recognised(path)
    if images is not None and not kind.local_files:
        raise InputError(
            f"{path} is a {kind.name}, which names no files: --images goes with a table."
        )
    source: PostSource = kind.load_reader().of_file(path, subreddit=subreddit, images=images)
    rows: dict[str, dict[str, object]] = {}
    left_out: Counter[str] = Counter()
    for batch in source.batches(as_of):
        left_out.update(str(row.refused.reason) for row in batch.rows.refused)
        scores = batch.rows.observations["score"].to_pylist()
        of_post = dict(zip(batch.rows.of_post, scores, strict=True))
        for number, post in enumerate(batch.rows.posts.select(_READ).to_pylist()):
            score = of_post.get(number)
            if score is None:
                left_out[NO_SCORE] += 1
            elif post["post_id"] in rows:
                left_out[DOUBLE] += 1
            else:
                rows[post["post_id"]] = _row(post, score)
    if not rows:
        why = ", ".join(f"{reason} {count:,}" for reason, count in left_out.most_common())
        raise InputError(f"{path} holds no post to replay ({why or 'it is empty'}).")
    with_image = sum(Path(str(row["file"])).is_file() for row in rows.values() if row["file"])
    return Replay(World.from_posts(list(rows.values())), left_out, with_image)


def _row(post: dict[str, Any], score: int) -> dict[str, object]:
    """A row for `World.from_posts`."""
    url = urlsplit(post["image_url"] or "")
    return {
        "id": post["post_id"],
        "title": post["title"],
        "subreddit": post["subreddit"],
        "created": post["created_at"].timestamp(),
        "score": score,
        "author": post["author_name"],
        "file": url2pathname(url.path) if url.scheme == "file" else None,
    }
