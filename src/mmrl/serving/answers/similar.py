"""Posts like a draft: the nearest matured posts by image, title or both, and what became of them.

Likeness is the cosine of the angle between the encoders' vectors; of both, the mean of the two.
Only posts count that the filter keeps, that no purge erased, and whose outcome was known in time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import among, quote
from mmrl.catalog.tables import embeddings_table
from mmrl.errors import InputError
from mmrl.samples.batches import as_arrays
from mmrl.samples.features import microseconds
from mmrl.samples.history import log_scores
from mmrl.samples.known import read_known
from mmrl.samples.known_at import label_known_at
from mmrl.samples.load import mature_after
from mmrl.samples.vectors import join_vectors
from mmrl.serving.inputs.contents import Content
from mmrl.serving.inputs.drafts import Drafts, single, subreddit_name
from mmrl.serving.ranks.rank import Predictor
from mmrl.sources.kinds import link_to
from mmrl.times import iso

By = Literal["image", "title", "both"]
SPACES_OF: Mapping[By, tuple[str, ...]] = {
    "image": ("image",),
    "title": ("title",),
    "both": ("image", "title"),
}
_LISTED = 2_000  # contents: a subreddit with so many or fewer is searched by itself
_ASKED = (64, 1_024, 8_192)  # vectors, until enough posts of the subreddit are among them
_COMPARED = 200  # candidates


@dataclass(frozen=True)
class Neighbour:
    """A matured post that is like a draft.

    Attributes:
        score: once settled.
        percentile: 0 to 1 among its subreddit's posts of the 90 days before it; None where too few
            were known.
        permalink: its address on the site, from the first slash on; None where not known.
        link: its page on Reddit; None where not known, and for a simulated post.
        image: its image's SHA-256, the key in `images`; None without one.
        over_18: its mark; None where not known.
        likeness: 1 for the same content, about 0 for contents that have nothing in common.
    """

    post_id: str
    subreddit: str
    title: str
    created_at: datetime
    score: int
    percentile: float | None
    permalink: str | None
    link: str | None
    image: str | None
    over_18: bool | None
    likeness: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "created_at": iso(self.created_at)}


def similar(
    predictor: Predictor,
    drafts: Drafts,
    *,
    by: By = "both",
    everywhere: bool = False,
    count: int = 5,
) -> list[Neighbour]:
    """The posts most like a draft, the nearest first.

    Args:
        drafts: one image at most, one title and one subreddit; without an image, both is the title.
        everywhere: in all subreddits; else in the draft's own.
        count: how many at most.

    Raises:
        InputError: they are several drafts, or there is no image to compare by.
    """
    one = single(drafts, ())
    images = predictor.read_images([one])
    spaces = [space for space in SPACES_OF[by] if space != "image" or images[0]]
    if not spaces:
        raise InputError("Without an image there is none to be like: compare by title.")
    _, encoded = predictor.combine([one], images)
    shown = images[0][0].facts.sha256 if images[0] else None
    if shown is not None and not predictor.registered.model.encoding.spec.reads_images:
        raise InputError("The model learned from no images, so none was encoded: compare by title.")
    columns = encoded.columns([Content(shown, one.titles[0])])
    vectors = {space: np.asarray(columns[space][0].as_py(), dtype=np.float32) for space in spaces}
    posts = matured(predictor)
    if not everywhere:
        name = subreddit_name(one.subreddits[0]).lower()
        posts = posts.filter(pc.equal(pc.utf8_lower(posts["subreddit"]), name))
    return _nearest(predictor, vectors, posts, count)


def matured(predictor: Predictor) -> pa.Table:
    """The posts whose outcome is known: post_id, subreddit, created_at, score, title_content,
    image_content, and `known`, the moment from which it was, in microseconds since 1970.
    """

    def read() -> pa.Table:
        columns = ["subreddit", "created_at", "score", "title_content", "image_content"]
        rows = read_known(predictor.catalog, predictor.settings, predictor.as_of, columns)
        rows = rows.filter(pc.is_valid(rows["score"]))
        known = label_known_at(rows, mature_after(predictor.settings))
        rows = rows.append_column("known", pa.array(known))
        return rows.drop_columns(["first_look_at", "label_observed_at"])

    return predictor.memo.of("matured", read)


def _nearest(
    predictor: Predictor, vectors: Mapping[str, np.ndarray], posts: pa.Table, count: int
) -> list[Neighbour]:
    candidates = [
        _candidates(predictor, space, vector, posts, count) for space, vector in vectors.items()
    ]
    chosen = pa.concat_tables(candidates)
    _, first = np.unique(np.array(chosen["post_id"].to_pylist(), str), return_index=True)
    chosen = chosen.take(pa.array(np.sort(first)))
    alike = np.zeros(chosen.num_rows)
    for space, vector in vectors.items():
        alike += likeness(predictor, space, vector, chosen) / len(vectors)
    order = np.lexsort(
        (np.array(chosen["post_id"].to_pylist(), str), -np.nan_to_num(alike, nan=-2))
    )
    return _neighbours(predictor, chosen.take(pa.array(order)), alike[order], count)


def _candidates(
    predictor: Predictor, space: str, vector: np.ndarray, posts: pa.Table, count: int
) -> pa.Table:
    """Some of the posts, those nearest in a space first."""
    content = f"{space}_content"
    table = embeddings_table(space, predictor.profile.dims[space])
    where = f"encoder = {quote(predictor.profile.ids[space])}"
    contents = pc.drop_null(pc.unique(posts[content]))
    if not len(contents):
        return posts.slice(0, 0)
    if len(contents) <= _LISTED:
        (listed,) = among("content", contents.to_pylist())
        where = f"{where} AND {listed}"
    for most in _ASKED:
        nearest = predictor.catalog.nearest(table, vector, most, ["content"], where)["content"]
        place = pc.index_in(posts[content], value_set=nearest.combine_chunks(), skip_nulls=True)
        near = posts.append_column("place", place).filter(pc.is_valid(place))
        if near.num_rows >= count or len(nearest) < most:
            break
    return (
        near.sort_by([("place", "ascending"), ("post_id", "ascending")])
        .slice(0, _COMPARED)
        .drop_columns(["place"])
    )


def likeness(predictor: Predictor, space: str, vector: np.ndarray, posts: pa.Table) -> np.ndarray:
    """The cosine of a vector with those of n posts in a space, (n,); NaN where one has none."""
    profile = predictor.profile
    joined = join_vectors(
        predictor.catalog,
        space,
        profile.ids[space],
        profile.dims[space],
        posts[f"{space}_content"].combine_chunks(),
    )
    vectors, there = as_arrays(joined)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosine = vectors @ vector / np.maximum(lengths, 1e-12)
    return np.asarray(np.where(there, cosine, np.nan), dtype=np.float64)


def _neighbours(
    predictor: Predictor, posts: pa.Table, alike: np.ndarray, count: int
) -> list[Neighbour]:
    """The first of the posts that the catalog still has, with what became of them."""
    columns = ["post_id", "title", "permalink", "over_18", "source"]
    ids = posts["post_id"].slice(0, 2 * count)
    told = {
        row["post_id"]: row
        for row in predictor.catalog.lookup("posts", "post_id", ids, columns).to_pylist()
    }
    stands = predictor.known.standings.percentiles(
        posts["subreddit"], microseconds(posts["created_at"]), log_scores(posts["score"])
    )
    neighbours: list[Neighbour] = []
    for row, likeness_, share in zip(posts.to_pylist(), alike, stands, strict=True):
        of_post = told.get(row["post_id"])
        if of_post is None or np.isnan(likeness_) or len(neighbours) == count:
            continue
        neighbours.append(
            Neighbour(
                row["post_id"],
                row["subreddit"],
                of_post["title"],
                row["created_at"],
                row["score"],
                None if np.isnan(share) else float(share),
                of_post["permalink"],
                link_to(of_post["permalink"], of_post["source"]),
                row["image_content"],
                of_post["over_18"],
                float(likeness_),
            )
        )
    return neighbours
