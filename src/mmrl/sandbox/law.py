"""The law of popularity in the sandbox: the terms of a post's score, and the noise in it.

    log1p(score) = MEAN + subreddit + author + image + title + interaction + hour + noise

Every term is centred on the posts that have an image and scaled so that its variance there is its
part of `SHARES` times `SPREAD` squared. The noise is Student's t with `NOISE_FREEDOM` degrees of
freedom. What was made is measured again by `realised_shares`.
"""

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.errors import InputError

MEAN = 4.8
SPREAD = 1.3
"""Standard deviation of log1p(score)."""

SHARES: Mapping[str, float] = {
    "subreddit": 0.13,
    "author": 0.14,
    "image": 0.17,
    "title": 0.15,
    "interaction": 0.07,
    "hour": 0.06,
    "noise": 0.28,
}
TERMS = tuple(SHARES)
EXPECTED = tuple(term for term in TERMS if term != "noise")
NOISE_FREEDOM = 4.0

GROWTH_MIDDLE = 5.25
GROWTH_RATE = 0.62
"""Hours, and per hour: a shifted logistic fitted to 3,442 r/memes posts watched for 12 hours,
which by votes had 3% of the 12-hour total after 1 h, 18% after 3 h and 61% after 6 h."""


def grown(age_hours: float, pace: float = 1.0) -> float:
    """The part of the final score that is there at an age, 0 to 1; `pace` over 1 is a slow post."""
    if age_hours <= 0:
        return 0.0
    middle = GROWTH_MIDDLE * pace
    start = 1 / (1 + math.exp(GROWTH_RATE * middle))
    now = 1 / (1 + math.exp(-GROWTH_RATE * (age_hours - middle)))
    return (now - start) / (1 - start)


def hour_of_post(created: np.ndarray) -> np.ndarray:
    """The raw effect of the moment of posting (epoch seconds): best at 15:00 UTC, on Saturdays."""
    hours = created / 3600
    of_day = np.cos(2 * np.pi * (hours - 15) / 24)
    # 1970-01-01 was a Thursday: day 2 of this count is a Saturday
    of_week = np.cos(2 * np.pi * (np.floor(hours / 24) - 2) / 7)
    return np.asarray(of_day + 0.5 * of_week)


def scaled(raw: np.ndarray, with_image: np.ndarray, share: float) -> np.ndarray:
    """`raw` centred and scaled over the posts that have an image, to `share` of the variance."""
    seen = raw[with_image]
    spread = float(seen.std())
    if spread == 0:
        return np.zeros_like(raw)
    return np.asarray((raw - seen.mean()) / spread * math.sqrt(share) * SPREAD)


def levels(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` evenly spaced effects in -1..1 in a random order: no level is an outlier."""
    return rng.permutation(np.linspace(-1, 1, count))


def realised_shares(truth: pa.Table) -> dict[str, float]:
    """Each term's variance over the posts with an image, divided by the variance of the log score.

    The terms are drawn independently, so the shares add up to 1 but for chance covariances, which
    come back under `covariance` (what is left of 1).

    Args:
        truth: the table of `World.truth`.
    """
    with_image = truth.filter(truth["with_image"])
    total = float(np.var(with_image["log_score"].to_numpy()))
    shares = {term: float(np.var(with_image[term].to_numpy())) / total for term in TERMS}
    shares["covariance"] = 1 - sum(shares.values())
    return shares


def noise_ceiling(truth: pa.Table, posts: pa.Table) -> dict[str, float]:
    """Metrics of the law's own expected value on the given posts: nothing can do better.

    Args:
        truth: the table of `World.truth`.
        posts: the test posts: `post_id`, and either `log_score` (log1p) or `score`.

    Returns:
        `spearman` and `r2` of the expected log score against the log score, and how many `posts`.

    Raises:
        InputError: a column is missing, a post is not of this world, or there are fewer than two.
    """
    from scipy.stats import spearmanr

    names = posts.column_names
    if "post_id" not in names or not {"log_score", "score"} & set(names):
        raise InputError(
            f"The posts have the columns {names}: a noise ceiling needs post_id and "
            "log_score or score."
        )
    where = pc.index_in(posts["post_id"], truth["post_id"].combine_chunks())
    if where.null_count or len(posts) < 2:
        raise InputError(
            f"{where.null_count} of {len(posts)} posts are not of this simulated world; a noise "
            "ceiling needs two posts or more, all of them from it."
        )
    expected = truth["expected_log_score"].take(where).to_numpy()
    if "log_score" in names:
        happened = posts["log_score"].to_numpy().astype(float)
    else:
        happened = np.log1p(posts["score"].to_numpy().astype(float))
    residual = float(np.sum((happened - expected) ** 2))
    total = float(np.sum((happened - happened.mean()) ** 2))
    return {
        "spearman": float(spearmanr(expected, happened).statistic),
        "r2": 1 - residual / total,
        "posts": len(posts),
    }
