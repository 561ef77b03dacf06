"""The distribution that a model predicts: a normal one whose halves are of unlike widths.

A model tells the 10, 50 and 90% quantiles. Between and beyond them the distribution is taken to be
a two-piece normal by its quantiles: z standard deviations of the lower half below the median, or of
the upper half above it, where z is a standard normal variable.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

_Z90 = 1.2815515655446004  # standard deviations from the median to the 90% quantile
_NARROWEST = 1e-9


@dataclass(frozen=True)
class Spread:
    """The 10, 50 and 90% quantiles of what is predicted; floats, or arrays of one shape.

    Attributes:
        unit: "log_score" for log1p(score), or "percentile".
    """

    low: float
    middle: float
    high: float
    unit: str

    def at(self, z: np.ndarray) -> np.ndarray:
        """The values at z standard deviations."""
        return value_at(np.array([self.low, self.middle, self.high]), z)


def value_at(quantiles: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Values at z standard deviations of distributions with quantiles (..., 3)."""
    below, above = _deviations(quantiles)
    return np.asarray(quantiles[..., 1] + z * np.where(z < 0, below, above))


def chance_above(quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The chance that each of n outcomes lies above a level, (n,); NaN where that is not known.

    Args:
        quantiles: (n, 3).
        levels: (n,).
    """
    return np.asarray(ndtr(-deviations_from(quantiles, levels)))


def deviations_from(quantiles: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many standard deviations each of n values lies above the median, (n,).

    Args:
        quantiles: (n, 3).
    """
    below, above = _deviations(quantiles)
    distance = values - quantiles[..., 1]
    return np.asarray(distance / np.where(distance < 0, below, above))


def _deviations(quantiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of the lower and the upper half."""
    below, above = (np.diff(quantiles, axis=-1)[..., half] / _Z90 for half in (0, 1))
    return np.maximum(below, _NARROWEST), np.maximum(above, _NARROWEST)
