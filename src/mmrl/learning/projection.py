"""Embeddings made short: principal components, fitted on the training posts only.

A few thousand posts can't say what 1,280 numbers mean one by one; they can for the directions in
which their images differ most.
"""

from dataclasses import dataclass

import numpy as np

_ALIKE = 1e-8  # variance, by itself or as a share of the largest, that is none
_FIT_ROWS = 20_000  # more rows move the components by less than the noise of the labels


def rows_to_fit(rows: int, seed: int) -> np.ndarray:
    """Of so many rows those to fit projections on, in order: all, or as many drawn as suffice."""
    if rows <= _FIT_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, _FIT_ROWS, replace=False))


@dataclass(frozen=True)
class Projection:
    """Takes (n, dim) vectors to (n, k).

    Attributes:
        mean: (dim,) float32.
        components: (dim, k) float32, all scaled alike so that the first output has variance near 1.
            (Equal variances, whitening, made the last ones' noise loud: the network then reached
            82% of the noise ceiling on simulated worlds of 2,000 posts instead of 84%.)
    """

    mean: np.ndarray
    components: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """(n, dim) float32 to (n, k) float32."""
        return np.asarray((vectors - self.mean) @ self.components, dtype=np.float32)


def fit_projection(vectors: np.ndarray, most: int) -> Projection:
    """The first components of (n, dim) vectors, at most `most` and a third of n of them.

    Directions in which the vectors do not differ are left out: what lies there of a new vector, a
    model has learned nothing of. Vectors that are all alike leave one output, of zeros.
    """
    dim = vectors.shape[1]
    if len(vectors) < 2:
        return Projection(np.zeros(dim, np.float32), np.zeros((dim, 1), np.float32))
    mean = vectors.mean(axis=0)
    centred = (vectors - mean).astype(np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variances, directions = variances[::-1], directions[:, ::-1]
    if variances[0] < _ALIKE:
        return Projection(mean.astype(np.float32), np.zeros((dim, 1), np.float32))
    differing = int((variances > _ALIKE * variances[0]).sum())
    k = max(1, min(most, differing, len(vectors) // 3))
    variances, directions = variances[:k], directions[:, :k]
    # An eigenvector's sign is arbitrary: fix it, so that the same posts give the same model.
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(k)])
    scale = 1.0 / np.sqrt(float(variances[0]))
    return Projection(mean.astype(np.float32), (directions * signs * scale).astype(np.float32))
