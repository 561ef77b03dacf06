"""Stored posts as the page shows them: title, score, date, link, and a small picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmrl.catalog import Catalog, quote
from mmrl.report.examples import clean_title
from mmrl.report.thumbnails import UnshowableError, small_jpeg
from mmrl.sources.kinds import link_to
from mmrl.web.requests.problems import Problem

router = APIRouter(include_in_schema=False)
_FACTS = ("post_id", "title", "created_at", "permalink", "over_18", "spoiler", "source")


@dataclass(frozen=True)
class Post:
    """A stored post.

    Attributes:
        score: once settled; None where it is not known.
        percentile: 0 to 1 among its community's posts of the 90 days before; None where too few.
        marks: those that its picture is blurred for, such as over 18.
        link: its own page; None for a simulated post.
    """

    post_id: str
    title: str
    subreddit: str
    created_at: datetime
    score: int | None
    percentile: float | None
    has_image: bool
    marks: tuple[str, ...]
    link: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of a post."""

    post_id: str
    subreddit: str
    score: int | None
    percentile: float | None


def posts_of(catalog: Catalog, outcomes: Iterable[Outcome]) -> list[Post]:
    """The posts of outcomes, in their order; those that were purged meanwhile are left out."""
    listed = list(outcomes)
    ids = [one.post_id for one in listed]
    facts = {
        row["post_id"]: row for row in catalog.lookup("posts", "post_id", ids, _FACTS).to_pylist()
    }
    pictures = set(
        catalog.lookup("post_images", "post_id", ids, ["post_id"])["post_id"].to_pylist()
    )
    posts = []
    for one in listed:
        row = facts.get(one.post_id)
        if row is None:
            continue
        marks = (("over 18", row["over_18"]), ("spoiler", row["spoiler"]))
        posts.append(
            Post(
                post_id=one.post_id,
                title=clean_title(row["title"]),
                subreddit=one.subreddit,
                created_at=row["created_at"],
                score=one.score,
                percentile=one.percentile,
                has_image=one.post_id in pictures,
                marks=tuple(name for name, marked in marks if marked),
                link=link_to(row["permalink"], row["source"]),
            )
        )
    return posts


@router.get("/posts/{post_id}/image")
async def image(request: Request, post_id: str, clear: bool = False) -> Response:
    """A stored post's picture, small; blurred where the post is marked, unless asked clear."""
    catalog = request.app.state.service.catalog
    small = await run_in_threadpool(_image, catalog, post_id, clear)
    return Response(small, media_type="image/jpeg")


def _image(catalog: Catalog, post_id: str, clear: bool) -> bytes:
    only = f"post_id = {quote(post_id)}"
    kept = catalog.count("selection", f"{only} AND reason IS NULL")
    facts = catalog.read("posts", ["over_18", "spoiler"], only).to_pylist()
    hashes = catalog.read("post_images", ["sha256"], only)["sha256"]
    files = catalog.lookup("images", "sha256", hashes, ["bytes"])["bytes"].to_pylist()
    if not (kept and facts and files):
        raise Problem(404, "There is no picture of such a post.")
    marked = bool(facts[0]["over_18"] or facts[0]["spoiler"])
    try:
        return small_jpeg(files[0], blurred=marked and not clear)
    except UnshowableError as error:
        raise Problem(422, f"The picture can't be shown: {error}.") from error
