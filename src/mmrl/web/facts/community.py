"""One community: what did well there lately, its hours, its titles, its removals, its rules."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment, quote
from mmrl.catalog.removers import REMOVED_BY
from mmrl.collector.rules import newest_rules
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.samples.load import load
from mmrl.web.facts.posts import Outcome, Post, posts_of

_LATELY = timedelta(days=30)
_SHOWN = 8  # posts that did well
_FEW = 5  # posts; a median of fewer says next to nothing
_SUBJECTS = 8
_RULES = 30  # shown at most; Reddit lets a community have fifteen
_LENGTHS = ((1, 20), (21, 40), (41, 70), (71, 120), (121, 300))  # characters of a title
_BY_CHANCE = 0.05  # hours that differ no more than this likely by chance are said to differ


@dataclass(frozen=True)
class Group:
    """Posts that have something in common, and where the middle one of them stood (0 to 1)."""

    name: str
    posts: int
    median: float | None


@dataclass(frozen=True)
class Lately:
    """A community as its posts tell of it.

    Attributes:
        hours: (7, 24) groups by weekday from Monday and hour, in the zone's time.
        best: the hours that did best, of those with enough posts.
        hours_differ: whether hours of the day differ by more than chance does; None where too few.
        subjects: what pictures show, by the captioner's labels, the commonest first.
        lengths: titles by their length.
        well: posts that did well in the last thirty days.
        removed: counts by what removed them; of `watched` posts.
        rules: as moderators wrote them, a rule a line.
    """

    hours: list[list[Group]]
    best: list[Group]
    hours_differ: bool | None
    subjects: list[Group]
    lengths: list[Group]
    well: list[Post]
    removed: list[tuple[str, int]]
    watched: int
    rules: list[str]


def samples_of(catalog: Catalog, settings: Settings, as_of: datetime) -> pa.Table:
    """What pages of communities read of every sample: facts, score and percentile."""
    columns = ["post_id", "subreddit", "created_at", "score", "percentile"]
    return load(catalog, settings, as_of, columns=columns)


def lately(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    samples: pa.Table,
    name: str,
    zone: ZoneInfo,
) -> Lately:
    """A community as the posts of `samples_of` tell of it, in a reader's time zone."""
    mine = samples.filter(pc.equal(pc.utf8_lower(samples["subreddit"]), name.lower()))
    mine = mine.filter(pc.is_valid(mine["score"]))
    local = [at.astimezone(zone) for at in mine["created_at"].to_pylist()]
    stands = mine["percentile"].to_numpy(zero_copy_only=False).astype(np.float64)
    hours = _hours(local, stands)
    named = [group for day in hours for group in day if group.posts >= _FEW and group.median]
    removed, watched = _removed(catalog, name, as_of)
    return Lately(
        hours=hours,
        best=sorted(named, key=lambda group: -(group.median or 0.0))[:3],
        hours_differ=_differ(np.array([at.hour for at in local]), stands),
        subjects=_subjects(catalog, settings, mine["post_id"], stands),
        lengths=_lengths(catalog, mine["post_id"], stands),
        well=_well(catalog, mine, as_of),
        removed=removed,
        watched=watched,
        rules=rules_of(catalog, name, as_of),
    )


def rules_of(catalog: Catalog, name: str, as_of: datetime) -> list[str]:
    """A community's rules as they were at a time, one each; none where they are not kept."""
    return newest_rules(catalog, as_of).get(name.lower(), "").splitlines()[:_RULES]


def _hours(local: list[datetime], stands: np.ndarray) -> list[list[Group]]:
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    at = np.array([24 * moment.weekday() + moment.hour for moment in local], np.int64)
    return [
        [_group(f"{days[day]} {hour:02}:00", stands[at == 24 * day + hour]) for hour in range(24)]
        for day in range(7)
    ]


def _group(name: str, stands: np.ndarray) -> Group:
    known = stands[~np.isnan(stands)]
    return Group(name, len(stands), float(np.median(known)) if len(known) else None)


def _differ(hour: np.ndarray, stands: np.ndarray) -> bool | None:
    """Kruskal and Wallis' test over hours of the day with enough posts."""
    from scipy.stats import kruskal

    known = ~np.isnan(stands)
    parts = [stands[known & (hour == each)] for each in range(24)]
    parts = [part for part in parts if len(part) >= _FEW]
    if len(parts) < 2 or np.ptp(np.concatenate(parts)) == 0:
        return None
    return bool(kruskal(*parts).pvalue < _BY_CHANCE)


def _subjects(
    catalog: Catalog, settings: Settings, ids: pa.ChunkedArray, stands: np.ndarray
) -> list[Group]:
    rows = catalog.lookup("post_images", "post_id", ids, ["post_id", "sha256"])
    image_of = dict(zip(*rows.to_pydict().values(), strict=True))
    captioner = quote(load_profile(settings).ids["captioner"])
    texts = catalog.lookup(
        "captions", "sha256", image_of.values(), ["sha256", "text"], f"captioner = {captioner}"
    )
    text_of = dict(zip(*texts.to_pydict().values(), strict=True))
    labels: dict[str, list[float]] = {}
    for post_id, stand in zip(ids.to_pylist(), stands, strict=True):
        for label in text_of.get(image_of.get(post_id, ""), "").split(", "):
            if label:
                labels.setdefault(label, []).append(stand)
    groups = [_group(label, np.array(of_label)) for label, of_label in labels.items()]
    groups = [group for group in groups if group.posts >= _FEW]
    return sorted(groups, key=lambda group: (-group.posts, group.name))[:_SUBJECTS]


def _lengths(catalog: Catalog, ids: pa.ChunkedArray, stands: np.ndarray) -> list[Group]:
    rows = catalog.lookup("posts", "post_id", ids, ["post_id", "title"])
    title_of = dict(zip(*rows.to_pydict().values(), strict=True))
    length = np.array([len(title_of.get(post_id, "")) for post_id in ids.to_pylist()], np.int64)
    groups = [
        _group(f"{low} to {high} characters", stands[(length >= low) & (length <= high)])
        for low, high in _LENGTHS
    ]
    return [group for group in groups if group.posts]


def _well(catalog: Catalog, mine: pa.Table, as_of: datetime) -> list[Post]:
    since = pa.scalar(as_of - _LATELY, mine.schema.field("created_at").type)
    recent = mine.filter(pc.greater_equal(mine["created_at"], since))
    order = [("percentile", "descending"), ("score", "descending"), ("post_id", "ascending")]
    rows: list[dict[str, Any]] = recent.sort_by(order)[:_SHOWN].to_pylist()
    names = ("post_id", "subreddit", "score", "percentile")
    return posts_of(catalog, [Outcome(**{name: row[name] for name in names}) for row in rows])


def _removed(catalog: Catalog, name: str, as_of: datetime) -> tuple[list[tuple[str, int]], int]:
    """How many of a community's posts were gone when last seen by a time, by what removed them."""
    where = f"lower(subreddit) = {quote(name.lower())} AND first_seen_at <= {moment(as_of)}"
    ids = catalog.read("posts", ["post_id"], where)["post_id"]
    columns = ["post_id", "observed_at", "removed_by"]
    by_then = f"observed_at <= {moment(as_of)}"
    seen = catalog.lookup("observations", "post_id", ids, columns, by_then).sort_by("observed_at")
    last: dict[str, str | None] = dict(
        zip(seen["post_id"].to_pylist(), seen["removed_by"].to_pylist(), strict=True)
    )
    counts = Counter(REMOVED_BY.get(by, by) for by in last.values() if by is not None)
    return counts.most_common(), len(last)
