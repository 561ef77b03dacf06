"""Bootstrap resamples as counts, and statistics of all of them at once.

A resample of n posts is how often each was drawn, so a statistic of B resamples is arithmetic on a
(B, n) matrix: nothing is gathered, and ranks come from cumulative counts over one sort. (Efron and
Tibshirani 1993, "An introduction to the bootstrap"; percentile intervals.)
"""

import numpy as np

LOW, HIGH = 2.5, 97.5  # percentiles of a 95% interval


def draw(n: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, n) counts; each row sums to n."""
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, n), np.float32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    return counts


def mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B,) means of values (n,); NaN where a resample holds none of them."""
    total = counts.sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((counts @ values) / total)


def ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B, n) rank of each value in each resample; ties share their mean rank, as in scipy."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.add.reduceat(counts[:, order].astype(np.float64), first, axis=1)
    middle = np.cumsum(sizes, axis=1) - sizes / 2 + 0.5
    group = np.cumsum(np.r_[True, ordered[1:] != ordered[:-1]]) - 1
    ranked = np.empty(counts.shape)
    ranked[:, order] = middle[:, group]
    return ranked


def correlation(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B,) Pearson correlations of (B, n) values; NaN where either does not vary."""
    total = counts.sum(axis=1, keepdims=True, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x - (counts * x).sum(axis=1, keepdims=True) / total
        y = y - (counts * y).sum(axis=1, keepdims=True) / total
        weighted = counts * x
        across = (weighted * y).sum(axis=1)
        spread = np.sqrt((weighted * x).sum(axis=1) * (counts * y * y).sum(axis=1))
        return np.asarray(np.where(spread > 1e-9, across / spread, np.nan))


def spearman(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B,) Spearman correlations of x and y, (n,), in each resample."""
    return correlation(ranks(x, counts), ranks(y, counts), counts)
