"""Re-checks of kept posts: a live source is asked whether they still stand, oldest check first.

As many posts go into a request as the source takes. An observation counts as a check, so posts that
are still observed cost nothing here.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment
from mmrl.catalog.removers import ABSENT
from mmrl.runtime.progress import Progress
from mmrl.sources.fields import text
from mmrl.sources.files.importer import table_rows
from mmrl.sources.kinds import REDDIT, known_to
from mmrl.sources.live import LiveSource, batches
from mmrl.sources.submission import removed_by

_COMMIT = 50  # requests a commit
_SUSPECT = 10  # so many posts or more, most of them absent, are asked for once more


@dataclass
class RecheckReport:
    """What a round of checks did.

    Attributes:
        due: posts to check; `checked` were, and `standing` of those stand.
        gone: the others by who took them away.
        requests: sent to the source, those for a token and repetitions left out.
    """

    due: int = 0
    checked: int = 0
    standing: int = 0
    requests: int = 0
    gone: Counter[str] = field(default_factory=Counter)


def due(
    catalog: Catalog,
    every: timedelta,
    as_of: datetime,
    source: str = REDDIT.name,
    recheck_after: timedelta = timedelta(0),
) -> list[str]:
    """The posts of which nobody has seen for that long whether they stand; oldest check first.

    Args:
        source: who would be asked.
        recheck_after: the least time that this one wants between two checks of a post; one that
            was absent is asked for sooner, as nobody is to be taken for gone by one answer.
    """
    rarely = max(every, recheck_after)
    since = moment(as_of - rarely)
    posts = catalog.read("posts", ["post_id", "first_seen_at"], known_to(source))
    observed = catalog.read("observations", ["post_id"], f"observed_at > {since}")["post_id"]
    checks = catalog.read("checks", ["post_id", "checked_at", "gone"])
    place = pc.index_in(posts["post_id"], value_set=checks["post_id"].combine_chunks())
    at = pc.coalesce(checks["checked_at"].take(place), posts["first_seen_at"])
    posts = posts.set_column(1, "at", at)
    absent = pc.fill_null(pc.equal(checks["gone"].take(place), ABSENT), False)
    soon, late = (pa.scalar(as_of - span, at.type) for span in (every, rarely))
    old = pc.less_equal(at, pc.if_else(absent, soon, late))
    seen = pc.is_in(posts["post_id"], value_set=observed.combine_chunks())
    posts = posts.filter(pc.and_(old, pc.invert(seen)))
    return list(
        posts.sort_by([("at", "ascending"), ("post_id", "ascending")])["post_id"].to_pylist()
    )


def recheck(
    source: LiveSource,
    catalog: Catalog,
    every: timedelta,
    now: Callable[[], datetime],
    progress: Progress,
    report: RecheckReport,
    requests: int | None = None,
    until: datetime | None = None,
) -> None:
    """Checks what is due and keeps the time and the answer in `checks`.

    Args:
        now: tells the time of an answer that has just come.
        report: is filled in as it goes, and holds what was done when this raises.
        requests: the most to send; the rest stays due.
        until: when to stop.

    Raises:
        ConfigError, SourceError: wrong credentials; no answer. The checks before are kept.
    """
    traits = source.traits
    ids = due(catalog, every, now(), source.name, traits.recheck_after)
    report.due = len(ids)
    progress.start("re-check", len(ids))
    waiting: list[dict[str, Any]] = []
    try:
        for batch in batches(ids, traits.batch):
            if until is not None and now() >= until:
                break
            if requests is not None and report.requests >= requests:
                break
            waiting += _check(source, batch, now, report)
            progress.advance(len(batch))
            if len(waiting) >= _COMMIT * traits.batch:
                _write(catalog, waiting)
                waiting = []
    finally:
        _write(catalog, waiting)
        progress.finish(f"{report.checked:,} checked, {report.gone.total():,} gone")


def _check(
    source: LiveSource,
    ids: list[str],
    now: Callable[[], datetime],
    report: RecheckReport,
) -> list[dict[str, Any]]:
    removals: dict[str, str | None] = {}
    for ask_again in (True, False):
        missing = [post_id for post_id in ids if post_id not in removals]
        for answer in source.posts(missing):
            report.requests += 1
            for submission in answer:
                post_id = str(submission.get("id"))
                removals[post_id] = removed_by(submission, text(submission.get("title")))
        absent = sum(post_id not in removals for post_id in ids)
        if not (ask_again and len(ids) >= _SUSPECT and absent > len(ids) / 2):
            break
    at = now()
    states = [(post_id, removals.get(post_id, ABSENT)) for post_id in ids]
    report.checked += len(ids)
    report.standing += sum(gone is None for _, gone in states)
    report.gone.update(gone for _, gone in states if gone is not None)
    return [{"post_id": post_id, "checked_at": at, "gone": gone} for post_id, gone in states]


def _write(catalog: Catalog, checks: list[dict[str, Any]]) -> None:
    """Writes checks; a post that was gone before is gone since then."""
    gone = [check["post_id"] for check in checks if check["gone"] is not None]
    before = catalog.lookup("checks", "post_id", gone, ["post_id", "gone_since"]).to_pylist()
    since = {row["post_id"]: row["gone_since"] for row in before}
    for check in checks:
        if check["gone"] is not None:
            check["gone_since"] = since.get(check["post_id"]) or check["checked_at"]
    catalog.upsert("checks", table_rows("checks", checks))
