"""The `filter` stage: which posts are worked on, and for each other one the reason why not.

A decision is made once per post and set of rules. It looks at the post's facts and at its first
look, so it does not change with the post's later fate. Rules are the settings and the version of
the code that decides; when either changes, all posts are decided again.
"""

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Reason, moment, quote, without
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.images.picture import Refused
from mmrl.images.safety import check_url
from mmrl.pipeline import Results

DECISIONS_VERSION = 1  # raised when `decide` decides differently: all posts are decided again
_FACTS = ("post_id", "subreddit", "over_18", "is_video", "image_url", "source", "first_seen_at")
_MANY = 2_000  # above this, one pass over the looks since then costs less than asking for each
_BATCH_SCHEMA = pa.schema(
    [
        *(SCHEMAS["posts"].field(name) for name in _FACTS if name != "first_seen_at"),
        ("score", pa.int64()),
        ("removed_by", pa.string()),
    ]
)


class FilterStage:
    """Decides each post; see `Stage`."""

    name = "filter"
    chunk = 20_000

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rules = f"v{DECISIONS_VERSION} {fingerprint(settings)}"

    def pending(self, catalog: Catalog, as_of: datetime) -> pa.Table:
        """Posts first seen by `as_of` that the present rules have not decided."""
        decided = catalog.read("selection", ["post_id"], f"rules = {quote(self.rules)}")
        seen = catalog.read(
            "posts", ["post_id", "first_seen_at"], f"first_seen_at <= {moment(as_of)}"
        )
        return without(seen, "post_id", decided["post_id"].to_pylist()).rename_columns(
            ["key", "first_seen_at"]
        )

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds the posts' facts, and score and removal at their first look."""
        ids = pending["key"].to_pylist()
        posts = catalog.lookup("posts", "post_id", ids, _FACTS).drop_columns(["first_seen_at"])
        columns = ["post_id", "observed_at", "score", "removed_by"]
        if len(ids) > _MANY:
            since = pc.min(pending["first_seen_at"]).as_py()
            looks = catalog.read("observations", columns, f"observed_at >= {moment(since)}")
            looks = looks.filter(pc.is_in(looks["post_id"], value_set=pa.array(ids, pa.string())))
        else:
            looks = catalog.lookup("observations", "post_id", ids, columns)
        return posts.join(_first_looks(looks), "post_id").select(_BATCH_SCHEMA.names)

    def worker(self, as_of: datetime) -> "FilterWorker":
        return FilterWorker(self.settings)

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes the decisions in place of those under older rules."""
        count = done.num_rows
        rows = done.append_column("rules", pa.array([self.rules] * count, pa.string()))
        times = pa.array([as_of] * count, SCHEMAS["selection"].field("decided_at").type)
        catalog.upsert("selection", rows.append_column("decided_at", times))


class FilterWorker:
    """Maps posts to their decisions; a pure function of its input and the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, batch: pa.Table) -> Results:
        reasons = [decide(row, self._settings) for row in batch.to_pylist()]
        done = {"post_id": batch["post_id"], "reason": pa.array(reasons, pa.string())}
        left_out = Counter(str(reason) for reason in reasons if reason is not None)
        return Results(pa.table(done), noted=left_out)


def decide(post: dict[str, Any], settings: Settings) -> Reason | None:
    """Why a post is left out; None for one that is worked on.

    Args:
        post: subreddit, over_18, is_video, image_url, source, and of its first look score and
            removed_by.
    """
    rules = settings.filter
    if post["removed_by"] is not None:
        return Reason.REMOVED
    if rules.only_followed and post["subreddit"].lower() not in _followed(settings):
        return Reason.SUBREDDIT_NOT_FOLLOWED
    if post["over_18"] and not rules.over_18:
        return Reason.OVER_18
    if post["is_video"]:
        return Reason.VIDEO
    if post["image_url"] is None:
        return Reason.NO_IMAGE
    if not _may_fetch(post["image_url"], post["source"], settings):
        return Reason.HOST_NOT_ALLOWED
    if rules.min_score is not None and (post["score"] is None or post["score"] < rules.min_score):
        return Reason.SCORE_BELOW_MINIMUM
    return None


def fingerprint(settings: Settings) -> str:
    """A short hash of every setting that a decision depends on."""
    depends = {
        "filter": settings.filter.model_dump(),
        "hosts": sorted(settings.images.allowed_hosts),
        "loopback": settings.images.allow_loopback,
        "followed": sorted(_followed(settings)) if settings.filter.only_followed else None,
    }
    packed = orjson.dumps(depends, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(packed).hexdigest()[:12]


def _followed(settings: Settings) -> set[str]:
    return {name.lower() for name in settings.reddit.subreddits}


def _may_fetch(url: str, source: str, settings: Settings) -> bool:
    """Files only for imported tables: a post from the net must never name one."""
    if url.startswith("file://"):
        return source.startswith("table:")
    return not isinstance(check_url(url, settings.images), Refused)


def _first_looks(looks: pa.Table) -> pa.Table:
    """Each post's earliest look: post_id, score, removed_by."""
    ordered = looks.sort_by([("post_id", "ascending"), ("observed_at", "ascending")])
    whole = pc.ScalarAggregateOptions(skip_nulls=False)  # the first look, not the first value
    grouped = ordered.group_by("post_id", use_threads=False).aggregate(
        [("score", "first", whole), ("removed_by", "first", whole)]
    )
    return grouped.rename_columns({"score_first": "score", "removed_by_first": "removed_by"})
