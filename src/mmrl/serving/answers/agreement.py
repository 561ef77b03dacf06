"""Agreement of neighbours: how well the nearest posts' outcomes rank test posts.

Each test post of the model is predicted by the mean percentile of the five posts most like it, of
those whose outcome was known when it went up. The rank agreement of that with what became of the
test posts, within their subreddits, is what neighbours are worth. It is worked out when it is first
asked for and kept beside the model.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.judge import judge
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.evaluation.statistics import Predicted
from mmrl.learning.registry.registry import Registry
from mmrl.samples.batches import as_arrays
from mmrl.samples.features import microseconds
from mmrl.samples.history import log_scores
from mmrl.samples.vectors import join_vectors
from mmrl.serving.answers.similar import SPACES_OF, By, matured
from mmrl.serving.ranks.rank import Predictor

FILE = "neighbours.json"  # beside the model
_NEIGHBOURS = 5
_TESTED, _AMONG = 1_000, 20_000  # posts: the newest test posts; the newest that they may be like
_RESAMPLES = 300
_AT_ONCE = 200
_METRIC = "spearman_within"


@dataclass(frozen=True)
class Agreement:
    """Rank agreement of neighbours' outcomes with the truth.

    Attributes:
        posts: test posts that had neighbours.
        spearman: within subreddits, with its 95% interval; None where too few posts tell.
    """

    by: By
    everywhere: bool
    posts: int
    spearman: Measure | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """For people."""
        if self.spearman is None:
            return "Too few test posts had neighbours to say whether such posts predict anything."
        value, ends = self.spearman.value, f"{self.spearman.low:.2f} to {self.spearman.high:.2f}"
        told = (
            "they tell nothing here"
            if self.spearman.low <= 0
            else "they tell a little"
            if value < 0.3
            else "they tell something"
        )
        return (
            f"On {self.posts:,} later posts, how such posts did agreed with how the post did by "
            f"{value:.2f} ({ends}; 1 is the same order, 0 is none): {told}."
        )


def agreement(predictor: Predictor, *, by: By = "both", everywhere: bool = False) -> Agreement:
    """How well the posts most like a test post foretell how it ranks.

    Args:
        everywhere: neighbours of all subreddits; else of the test post's own.
    """
    registry, version = Registry(predictor.catalog.home), predictor.registered.version
    kept = json.loads(registry.file(version, FILE) or b"{}")
    name = f"{by} {'everywhere' if everywhere else 'here'}"
    if name not in kept:
        kept[name] = asdict(_measure(predictor, by, everywhere))
        registry.keep_file(version, FILE, json.dumps(kept).encode())
    measured = kept[name]
    spearman = None if measured["spearman"] is None else Measure(**measured["spearman"])
    return Agreement(by, everywhere, measured["posts"], spearman)


def _measure(predictor: Predictor, by: By, everywhere: bool) -> Agreement:
    test = Registry(predictor.catalog.home).test_predictions(predictor.registered.version)
    among = matured(predictor).sort_by([("created_at", "descending"), ("post_id", "ascending")])
    place = pc.index_in(test["post_id"], value_set=among["post_id"].combine_chunks())
    test = test.append_column("place", place).filter(pc.is_valid(place))
    test = test.sort_by([("created_at", "descending")]).slice(0, _TESTED)
    asked = among.take(test["place"])
    among = among.slice(0, _AMONG)
    stands = predictor.known.standings.percentiles(
        among["subreddit"], microseconds(among["created_at"]), log_scores(among["score"])
    )
    expected = np.full(test.num_rows, np.nan)
    if among.num_rows and test.num_rows:
        vectors = [
            (_unit(predictor, space, asked), _unit(predictor, space, among))
            for space in SPACES_OF[by]
        ]
        for start in range(0, test.num_rows, _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            alike = sum(one[rows] @ other.T for one, other in vectors)
            may = _may_count(asked.slice(start, _AT_ONCE), among, everywhere) & ~np.isnan(stands)
            expected[rows] = _mean_of_nearest(np.where(may, np.asarray(alike), np.nan), stands)
    told = ~np.isnan(expected)
    truth = truth_of(test.filter(pa.array(told)))
    metrics = judge(truth, Predicted(None, order=expected[told]), _RESAMPLES, 0, [_METRIC]).metrics
    return Agreement(by, everywhere, int(told.sum()), metrics.get(_METRIC))


def _unit(predictor: Predictor, space: str, posts: pa.Table) -> np.ndarray:
    """(n, dim) vectors of length 1; NaN where a post has none."""
    profile = predictor.profile
    contents = posts[f"{space}_content"].combine_chunks()
    joined = join_vectors(
        predictor.catalog, space, profile.ids[space], profile.dims[space], contents
    )
    vectors, there = as_arrays(joined)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.maximum(lengths, np.float32(1e-12))
    return np.asarray(np.where(there[:, None], vectors, np.float32(np.nan)))


def _may_count(asked: pa.Table, among: pa.Table, everywhere: bool) -> np.ndarray:
    """(q, n) bool: which outcomes were known when each of the posts went up."""
    may = among["known"].to_numpy()[None] <= microseconds(asked["created_at"])[:, None]
    if everywhere:
        return np.asarray(may)
    one, other = (
        np.array(pc.utf8_lower(posts["subreddit"]).to_pylist(), str) for posts in (asked, among)
    )
    return np.asarray(may & (one[:, None] == other[None]))


def _mean_of_nearest(alike: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """(q,) the mean percentile of each post's five nearest; NaN for fewer."""
    if alike.shape[1] < _NEIGHBOURS:
        return np.full(len(alike), np.nan)
    distance = np.where(np.isnan(alike), np.inf, -alike)
    nearest = np.argpartition(distance, _NEIGHBOURS - 1, axis=1)[:, :_NEIGHBOURS]
    enough = np.isfinite(np.take_along_axis(distance, nearest, axis=1)).all(axis=1)
    return np.asarray(np.where(enough, stands[nearest].mean(axis=1), np.nan))
