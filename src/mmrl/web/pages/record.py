"""The model's record on later posts, in short and in full."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmrl.learning.evaluation.metrics import METRICS
from mmrl.report.sentences import Tile, tiles, verdict
from mmrl.times import parse_time
from mmrl.web.pages import wording
from mmrl.web.pages.templates import page
from mmrl.web.service import SCORED, Service

router = APIRouter(include_in_schema=False)
_OLD_DAYS = 7


@dataclass(frozen=True)
class Record:
    """A version's record.

    Attributes:
        age: since it was trained, in words; `old` where that is more than a week.
        learned: from how many posts.
        judged_on: which posts those are, in words.
        small: the figures that stand beside a ranking.
        warning: where a week of its predictions came out worse than the baseline.
        complaint: why a newer champion, or what is new of posts, is not taken up.
    """

    version: str
    trained_at: datetime
    age: str
    old: bool
    learned: int
    judged_on: str
    small: list[Tile]
    warning: str | None
    complaint: str | None


def record(service: Service) -> Record:
    """The record of the version that answers."""
    shown = service.shown()
    trained_at = parse_time(shown.trained_at)
    since = service.now() - trained_at
    splits = shown.evaluation.splits
    labels = [metric.label for metric in METRICS.values() if metric.on_page]
    return Record(
        version=shown.version,
        trained_at=trained_at,
        age=wording.age(since),
        old=since.days >= _OLD_DAYS,
        learned=splits.learned_posts,
        judged_on=splits.judged_on,
        complaint=service.champion.complaint,
        warning=service.scores().warning,
        small=[tile for tile in tiles(shown.evaluation.models) if tile.label in labels],
    )


def record_in(service: Service, name: str) -> str:
    """What that version learned from of a community, and how it did on later posts of it."""
    learned = service.shown().evaluation.splits.learned_of
    posts = None if learned is None else learned.get(name.lower(), 0)
    return wording.record_in(name, service.judged().get(name.lower()), posts)


@router.get("/model")
async def model(request: Request) -> Response:
    """The record in full."""
    service: Service = request.app.state.service
    return page(request, "model.html.j2", await run_in_threadpool(_context, service))


def _context(service: Service) -> dict[str, object]:
    shown = service.shown()
    judged = sorted(service.judged().values(), key=lambda one: (-one.posts, one.name))
    return {
        "record": record(service),
        "verdict": verdict(shown.evaluation),
        "tiles": tiles(shown.evaluation.models),
        "judged": judged,
        "scores": service.scores(),
        "scored_days": SCORED.days,
    }
