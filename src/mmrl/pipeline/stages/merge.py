"""The `merge` stage: samples with each post's own features, and its label once it has one.

What depends on other posts (the author's and the subreddit's history, the percentile) is computed
when samples are loaded, so that an import of older posts leaves nothing stale; vectors stay in
their own tables.
"""

from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Reason, quote, without
from mmrl.catalog.columns import TIME
from mmrl.catalog.keys import author_keys, text_content, visual_content
from mmrl.catalog.tables import POSTS, SAMPLES
from mmrl.config import Settings
from mmrl.pipeline.stage import Results
from mmrl.pipeline.stages.images import selected
from mmrl.samples.chosen_observations import choose_observations
from mmrl.samples.features import FEATURES_VERSION, INPUTS, post_features
from mmrl.samples.load import mature_after

_POST_COLUMNS = [
    *("post_id", "subreddit", "author_id", "author_name", "first_seen_at", "flair_known_at"),
    *(name for name in INPUTS.names if name in POSTS.names),
]
_OBSERVED_COLUMNS = [
    *("post_id", "observed_at", "score", "settled", "subscribers"),
    *("author_comment_karma", "author_link_karma", "author_created_at", "removed_by"),
]
_LABEL_COLUMNS = ["post_id", "observed_at", "score", "settled", "removed_by"]
_STATE_COLUMNS = ["post_id", "created_at", "first_look_at", "unlabelled", "image_content"]
_IMAGE_COLUMNS = ["sha256", "width", "height", "byte_size"]
_TEXT = pa.string()
_WAITING = pa.array([str(Reason.TOO_YOUNG), str(Reason.SCORE_NOT_SETTLED)], _TEXT)


class MergeStage:
    """Writes `samples`: a row for each selected post, again once it has a label, or its image.

    A post without an image gets one only where the filter requires none.
    """

    name = "merge"
    chunk = 20_000

    def __init__(self, settings: Settings) -> None:
        self._mature_after = mature_after(settings)
        self._require_image = settings.filter.require_image
        self._made_by = f"v{FEATURES_VERSION} mature {settings.label.mature_after_hours:g} h"
        self.rules = self._made_by + (", with an image" if self._require_image else "")
        self.reads = ("selection", "post_images", "observations")
        self.writes = "samples"

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """Posts without a sample, with one of other rules, or with something that it lacks."""
        present = f"rules = {quote(self._made_by)}"
        samples = catalog.lookup("samples", "post_id", posts, _STATE_COLUMNS, present)
        new = without(selected(catalog, posts), "post_id", samples["post_id"])["post_id"]
        if self._require_image:
            new = _with_image(catalog, new)
        lacking = samples["post_id"].filter(pc.is_null(samples["image_content"]))
        keys = pc.unique(
            pa.chunked_array(
                [
                    *new.chunks,
                    *self._told_more(catalog, samples).chunks,
                    *_with_image(catalog, lacking).chunks,
                ],
                _TEXT,
            )
        )
        return pa.table({"key": keys})

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds the facts of each post and its image, and its first and its label observation."""
        keys = pending["key"]
        posts = catalog.lookup("posts", "post_id", keys, _POST_COLUMNS)
        images = catalog.lookup("post_images", "post_id", keys, ["post_id", "sha256"])
        posts = _join(posts, "post_id", images, "post_id")
        shapes = catalog.lookup("images", "sha256", pc.unique(images["sha256"]), _IMAGE_COLUMNS)
        posts = _join(posts, "sha256", shapes, "sha256")
        observations = catalog.lookup("observations", "post_id", keys, _OBSERVED_COLUMNS)
        chosen = choose_observations(
            observations,
            posts["post_id"].combine_chunks(),
            posts["created_at"].combine_chunks(),
            self._mature_after,
        )
        for name, rows in (("first", chosen.first), ("label", chosen.label)):
            for column in observations.schema.names[1:]:
                values = _take(observations[column], rows)
                posts = posts.append_column(f"{name}_{column}", values)
        return posts

    def worker(self, as_of: datetime) -> "MergeWorker":
        return MergeWorker(self._made_by, self._mature_after, as_of)

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes the samples."""
        catalog.upsert("samples", done)

    def _told_more(self, catalog: Catalog, samples: pa.Table) -> pa.ChunkedArray:
        """Posts whose sample lacks a label, or a first observation, that there is now."""
        unseen = pc.is_null(samples["first_look_at"])
        lacking = samples.filter(pc.or_(unseen, pc.is_in(samples["unlabelled"], _WAITING)))
        unseen = pc.is_null(lacking["first_look_at"]).to_numpy()
        observations = catalog.lookup("observations", "post_id", lacking["post_id"], _LABEL_COLUMNS)
        chosen = choose_observations(
            observations,
            _plain(lacking["post_id"]),
            _plain(lacking["created_at"]),
            self._mature_after,
        )
        more = (chosen.label >= 0) | (unseen & (chosen.first >= 0))
        return lacking["post_id"].filter(pa.array(more))


class MergeWorker:
    """Makes samples of what `MergeStage.load` gathered of posts.

    Args:
        rules: the fingerprint that goes with each sample.
        as_of: the present; a post that has not matured by then is too young for a label.
    """

    def __init__(self, rules: str, mature_after: timedelta, as_of: datetime) -> None:
        self._rules = rules
        self._mature_after = mature_after
        self._as_of = as_of

    def __call__(self, batch: pa.Table) -> Results:
        titles = batch["title"].to_pylist()
        images = batch["sha256"].to_pylist()
        visual = [
            None if image is None else visual_content(image, title)
            for image, title in zip(images, titles, strict=True)
        ]
        score, unlabelled = self._label(batch)
        columns = {
            "post_id": batch["post_id"],
            "rules": pa.repeat(self._rules, batch.num_rows),
            "subreddit": batch["subreddit"],
            "author_id": author_keys(batch["author_id"], batch["author_name"]),
            "author_created_at": batch["first_author_created_at"],
            "created_at": batch["created_at"],
            "first_seen_at": batch["first_seen_at"],
            "first_look_at": batch["first_observed_at"],
            "subscribers": batch["first_subscribers"],
            **post_features(_feature_inputs(batch)),
            "title_content": pa.array(map(text_content, titles), pa.string()),
            "image_content": batch["sha256"],
            "visual_content": pa.array(visual, pa.string()),
            "unlabelled": unlabelled,
            "score": score,
            **{
                name: pc.if_else(pc.is_valid(score), batch[name], None)
                for name in ("label_subscribers", "label_observed_at")
            },
        }
        noted = Counter(reason for reason in unlabelled.to_pylist() if reason is not None)
        return Results(pa.table(columns).select(SAMPLES.names).cast(SAMPLES), noted=noted)

    def _label(self, batch: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Scores, and for posts that have none the reason."""
        removed = pc.is_valid(batch["label_removed_by"])
        score = pc.if_else(removed, None, batch["label_score"])
        mature_at = pc.add(batch["created_at"], pa.scalar(self._mature_after, pa.duration("us")))
        too_young = pc.greater(mature_at, pa.scalar(self._as_of, TIME))
        unlabelled = pc.case_when(
            pc.make_struct(removed, pc.is_valid(score), too_young),
            str(Reason.REMOVED),
            pa.scalar(None, pa.string()),
            str(Reason.TOO_YOUNG),
            str(Reason.SCORE_NOT_SETTLED),
        )
        return score, unlabelled


def _feature_inputs(batch: pa.Table) -> pa.Table:
    """A batch in the columns of `INPUTS`."""
    age = pc.subtract(
        pc.cast(batch["first_observed_at"], pa.int64()), pc.cast(batch["created_at"], pa.int64())
    )
    hours = pc.max_element_wise(pc.divide(pc.cast(age, pa.float64()), 3.6e9), 0.0, skip_nulls=False)
    of_first_look = {
        name: batch[f"first_{name}"]
        for name in (
            *("subscribers", "author_link_karma", "author_comment_karma"),
            "author_created_at",
        )
    }
    flair = pc.if_else(pc.is_valid(batch["flair_known_at"]), None, batch["flair"])
    known = {"observed_age_hours": hours, "flair": flair, **of_first_look}
    return pa.table(
        {name: known[name] if name in known else batch[name] for name in INPUTS.names}
    ).cast(INPUTS)


def _with_image(catalog: Catalog, posts: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Those of the posts that have an image."""
    return catalog.lookup("post_images", "post_id", posts, ["post_id"])["post_id"]


def _join(left: pa.Table, left_on: str, right: pa.Table, right_on: str) -> pa.Table:
    """The left rows with the right table's other columns; null where the right one has no row."""
    row = pc.index_in(left[left_on], value_set=_plain(right[right_on]), skip_nulls=True)
    for name in right.schema.names:
        if name != right_on:
            left = left.append_column(name, right[name].take(row))
    return left


def _take(column: pa.ChunkedArray, rows: np.ndarray) -> pa.ChunkedArray:
    """The values at these rows, null for -1."""
    return column.take(pa.array(rows, mask=rows < 0))


def _plain(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
