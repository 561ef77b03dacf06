"""A feature's scale: mean and standard deviation over the training posts that have it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FURTHEST = 4.0  # scaled numbers are cut off here: one strange post must not steer a network


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of a feature over the training posts that have it."""

    mean: float
    deviation: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(n,) values of the feature, as `scaled` has them."""
        return scaled(values[:, None], [self])[:, 0]


def scaled(values: np.ndarray, scales: Sequence[Scale]) -> np.ndarray:
    """(n, k) values of k features in deviations from their means, cut off at 4; NaN stays."""
    means, deviations = (
        np.array([getattr(scale, name) for scale in scales]) for name in ("mean", "deviation")
    )
    return np.clip((values - means) / deviations, -_FURTHEST, _FURTHEST)


def fit_scale(values: np.ndarray) -> Scale:
    """The scale of (n,) values, NaN where one is missing; one of them at least is there."""
    known = values[~np.isnan(values)]
    deviation = float(known.std())
    return Scale(float(known.mean()), deviation if deviation > 1e-6 else 1.0)
