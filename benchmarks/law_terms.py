"""The sandbox's law by its terms: what a model learned of each, how well authors can be known."""

from collections.abc import Mapping

import numpy as np

from mmrl.sandbox import law
from mmrl.sandbox.world import KARMA_MEAN, KARMA_SPREAD, KARMA_TELLS, World

_MATURE = 36 * 3600.0  # seconds until a score is known
_ROUNDS = 10


def learned(
    predicted: np.ndarray, terms: Mapping[str, np.ndarray]
) -> tuple[dict[str, float], float]:
    """The share of each term that predictions hold, and the variance of what is not of the law.

    Args:
        predicted: (n,) log scores.
        terms: by name, (n,) of the same posts.

    Returns:
        the terms' coefficients in the least-squares fit of the predictions, 1 where a term is
        learned whole, and the variance that is left.
    """
    table = np.column_stack([np.ones(len(predicted)), *(terms[name] for name in law.EXPECTED)])
    fitted, *_ = np.linalg.lstsq(table, predicted, rcond=None)
    return dict(zip(law.EXPECTED, fitted[1:], strict=True)), float(
        np.var(predicted - table @ fitted)
    )


def knowable(world: World) -> np.ndarray:
    """The best guess of each post's log score of one who knows the law, and of authors what shows.

    All terms are exact but the author's: of that a guess is made from karma and from the author's
    matured posts, less their other terms. The noise has heavy tails, so a far-off post counts
    less: the mode of the posterior for Student's t (Lange, Little and Taylor 1989, "Robust
    statistical modeling using the t distribution").
    """
    truth = world.truth()
    rest = truth["expected_log_score"].to_numpy() - truth["author"].to_numpy()
    heard = truth["log_score"].to_numpy() - rest
    with_image = truth["with_image"].to_numpy(zero_copy_only=False)
    spread = law.SPREAD * np.sqrt(law.SHARES["author"])
    freedom = law.NOISE_FREEDOM
    scale = law.SHARES["noise"] * law.SPREAD**2 * (freedom - 2) / freedom
    left = (1 - KARMA_TELLS**2) * spread**2
    earlier: dict[int, list[int]] = {}
    guess = np.zeros(len(rest))
    for place, post in enumerate(world):
        if post.author is None:
            continue
        karma = (np.log(world.authors[post.author].link_karma + 1) - KARMA_MEAN) / KARMA_SPREAD
        prior = mode = KARMA_TELLS * karma * spread
        posts = earlier.setdefault(post.author, [])
        known = heard[[n for n in posts if world.posts[n].created <= post.created - _MATURE]]
        for _ in range(_ROUNDS if len(known) else 0):
            weights = (freedom + 1) / (freedom + (known - mode) ** 2 / scale) / scale
            mode = (prior / left + weights @ known) / (1 / left + weights.sum())
        guess[place] = mode
        if with_image[place]:
            posts.append(place)
    return np.asarray(rest + guess)
