"""The `filter` stage: selects the posts to work on, and keeps a reason for each one left out.

A decision is made once per post and set of rules, and once more where a post was left out for want
of an image that came later. It reads the post's facts and its first observation, so it does not
change with the post's later fate. Rules are the settings and the version of the code that decides;
when either changes, all posts are decided again.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Reason, moment, quote, without
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.pipeline import Results
from mmrl.pipeline.stages.images import may_fetch

DECISIONS_VERSION = 3  # raised with the code of a rule: all posts are decided again
_IMAGELESS = (Reason.GALLERY_UNFINISHED, Reason.NO_IMAGE)
_FACTS = ("post_id", "subreddit", "over_18", "is_video", "is_gallery", "image_url", "source")
_BATCH_SCHEMA = pa.schema(
    [
        *(SCHEMAS["posts"].field(name) for name in _FACTS),
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
        self.reads = ("posts",)
        self.writes = "selection"

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """Posts first seen by `as_of` that the present rules have not decided as they now are.

        A post whose image came later waits until then.
        """
        present = f"rules = {quote(self.rules)}"
        decided = catalog.lookup("selection", "post_id", posts, ["post_id"], present)
        seen = catalog.lookup(
            "posts",
            "post_id",
            posts,
            ["post_id", "first_seen_at", "image_known_at"],
            f"first_seen_at <= {moment(as_of)} AND "
            f"(image_known_at IS NULL OR image_known_at <= {moment(as_of)})",
        )
        stands = without(decided, "post_id", self._pictured_since(catalog, seen))
        pending = without(seen, "post_id", stands["post_id"])
        return pending.select(["post_id", "first_seen_at"]).rename_columns(["key", "first_seen_at"])

    def _pictured_since(self, catalog: Catalog, seen: pa.Table) -> pa.ChunkedArray:
        """Posts that the present rules left out for want of an image, and that have one now."""
        told_more = seen.filter(pc.is_valid(seen["image_known_at"]))["post_id"]
        has_image = "image_url IS NOT NULL"
        pictured = catalog.lookup("posts", "post_id", told_more, ["post_id"], has_image)["post_id"]
        reasons = ", ".join(quote(reason) for reason in _IMAGELESS)
        left_out = f"rules = {quote(self.rules)} AND reason IN ({reasons})"
        return catalog.lookup("selection", "post_id", pictured, ["post_id"], left_out)["post_id"]

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds the posts' facts, and score and removal at their first observation."""
        ids = pending["key"].to_pylist()
        posts = catalog.lookup("posts", "post_id", ids, _FACTS)
        columns = ["post_id", "observed_at", "score", "removed_by"]
        observations = catalog.lookup("observations", "post_id", ids, columns)
        return posts.join(_first_observations(observations), "post_id").select(_BATCH_SCHEMA.names)

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
    """The reason why a post is left out; None for one that is worked on.

    Args:
        post: subreddit, over_18, is_video, is_gallery, image_url, source, and the score and
            removed_by of its first observation.
    """
    return next((reason for reason, applies in RULES if applies(post, settings)), None)


def _not_followed(post: dict[str, Any], settings: Settings) -> bool:
    return settings.filter.only_followed and post["subreddit"].lower() not in _followed(settings)


def _no_image(post: dict[str, Any], settings: Settings) -> bool:
    return settings.filter.require_image and post["image_url"] is None


def _host_not_allowed(post: dict[str, Any], settings: Settings) -> bool:
    return settings.filter.require_image and not may_fetch(
        post["image_url"], post["source"], settings.images
    )


def _below_minimum(post: dict[str, Any], settings: Settings) -> bool:
    least = settings.filter.min_score
    return least is not None and (post["score"] is None or post["score"] < least)


# The first rule that applies leaves a post out. A new or changed rule raises DECISIONS_VERSION.
RULES: tuple[tuple[Reason, Callable[[dict[str, Any], Settings], bool]], ...] = (
    (Reason.REMOVED, lambda post, settings: post["removed_by"] is not None),
    (Reason.SUBREDDIT_NOT_FOLLOWED, _not_followed),
    (Reason.OVER_18, lambda post, settings: post["over_18"] and not settings.filter.over_18),
    (Reason.VIDEO, lambda post, settings: post["is_video"]),
    (
        Reason.GALLERY_UNFINISHED,
        lambda post, settings: post["is_gallery"] and _no_image(post, settings),
    ),
    (Reason.NO_IMAGE, _no_image),
    (Reason.HOST_NOT_ALLOWED, _host_not_allowed),
    (Reason.SCORE_BELOW_MINIMUM, _below_minimum),
)


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


def _first_observations(observations: pa.Table) -> pa.Table:
    """Each post's earliest observation: post_id, score, removed_by."""
    ordered = observations.sort_by([("post_id", "ascending"), ("observed_at", "ascending")])
    whole = pc.ScalarAggregateOptions(skip_nulls=False)  # of the first row, not the first value
    grouped = ordered.group_by("post_id", use_threads=False).aggregate(
        [("score", "first", whole), ("removed_by", "first", whole)]
    )
    return grouped.rename_columns({"score_first": "score", "removed_by_first": "removed_by"})
