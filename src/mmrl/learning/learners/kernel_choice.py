"""Choice of a kernel by the likelihood of the training posts; see `kernel`."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np

from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.blocks import Block

_CHOSEN_ON = 1_500  # training posts, by which amplitudes and weights are chosen, or fewer:
_CHOICE_BYTES = 256 << 20  # for two numbers of each pair of them in each block
AMPLITUDE, WEIGHT = 0.3, 0.1  # of each block at the start
_DRAWN = 2.0  # standard deviation of the logarithm of each, before anything is seen
_PENALTY = 0.5  # at the start, in units of k(x, x) = 1
_FARTHEST = 6.0  # that the logarithm of any goes from its start
_STEPS = 60
_PAIRS = 2_000  # on which q_b is taken
JITTER = 1e-6
_UNSOLVABLE = 1e12  # stands for the unlikeliness of what can't be worked out


@dataclass(frozen=True)
class KernelChoice:
    """What is chosen before the fit.

    Attributes:
        amplitudes: by block, a_b.
        weights: by block, w_b.
        penalty: added to the diagonal.
    """

    amplitudes: dict[str, float]
    weights: dict[str, float]
    penalty: float


def choose_kernel(
    inputs: Inputs, target: np.ndarray, blocks: Sequence[Block], seed: int
) -> KernelChoice:
    """The amplitudes, weights and penalty under which the posts are likeliest, by their gradient.
    Of more than 1,500 posts as many are drawn, or fewer where there are many blocks.
    """
    from scipy.optimize import minimize

    count = min(len(target), _CHOSEN_ON, isqrt(_CHOICE_BYTES // (4 * max(1, len(blocks)))))
    rows = np.sort(np.random.default_rng(seed).choice(len(target), count, replace=False))
    drawn = inputs.take(rows)
    values, scales = _values(drawn, blocks), scales_of(drawn, blocks, seed)
    pairs = _Pairs.of(count)
    distances = [
        pairs.read(squared_distances(values[name], values[name])) / np.float32(scale)
        for name, scale in scales.items()
    ]
    centred, m = target[rows] - target[rows].mean(), len(scales)
    centred = centred / (float(centred.std()) or 1.0)
    start = np.log(np.r_[np.full(m, AMPLITUDE), np.full(m, WEIGHT), _PENALTY])
    spread = np.r_[np.full(2 * m, _DRAWN), np.inf]

    def unlikeliness(logs: np.ndarray) -> tuple[float, np.ndarray]:
        moved = (logs - start) / spread
        value, gradient = _unlikeliness(np.exp(logs), distances, centred, pairs)
        return value + 0.5 * float(moved @ moved), gradient + moved / spread

    likeliest = minimize(
        unlikeliness,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(each - _FARTHEST, each + _FARTHEST) for each in start],
        options={"maxiter": _STEPS, "ftol": 1e-6},
    )
    chosen = np.exp(likeliest.x).tolist()
    amplitudes = dict(zip(scales, chosen[:m], strict=True))
    return KernelChoice(amplitudes, dict(zip(scales, chosen[m:-1], strict=True)), chosen[-1])


@dataclass(frozen=True)
class _Pairs:
    """All pairs of n posts, each once, and each post with itself: a symmetric matrix's lower half.

    Attributes:
        ones, others: (n (n + 1) / 2,) the rows and columns, of which no column is right of its row.
    """

    n: int
    ones: np.ndarray
    others: np.ndarray

    @classmethod
    def of(cls, n: int) -> "_Pairs":
        return cls(n, *np.tril_indices(n))

    def read(self, matrix: np.ndarray) -> np.ndarray:
        """The pairs' values in a matrix."""
        return np.asarray(matrix[self.ones, self.others])

    def matrix(self, values: np.ndarray) -> np.ndarray:
        """The pairs' values as LAPACK reads them: float64, the upper half is zero."""
        held = np.zeros((self.n, self.n), order="F")
        held[self.ones, self.others] = values
        return held


def _unlikeliness(
    chosen: np.ndarray, distances: Sequence[np.ndarray], target: np.ndarray, pairs: _Pairs
) -> tuple[float, np.ndarray]:
    """The negative log of the target's likelihood at its likeliest scale, and its gradient by the
    logarithms of what is chosen.

    Args:
        chosen: amplitudes, weights and the penalty, one after the other.
        distances: by block, of the pairs.
    """
    from scipy.linalg import lapack

    n, m = len(target), len(distances)
    amplitudes, weights = chosen[:m].astype(np.float32), chosen[m:-1].astype(np.float32)
    likeness = [
        amplitude * np.exp(-weight * each)
        for amplitude, weight, each in zip(amplitudes, weights, distances, strict=True)
    ]
    kernel = np.ones(len(pairs.ones), np.float32)
    for amplitude, each in zip(amplitudes, likeness, strict=True):
        kernel *= (1 + each) / (1 + amplitude)
    held = pairs.matrix(kernel)
    held[np.diag_indices(n)] += chosen[-1] + JITTER
    root, failed = lapack.dpotrf(held, lower=1, overwrite_a=1)
    if failed:
        return _UNSOLVABLE, np.zeros(len(chosen))
    volume = float(np.log(np.diag(root)).sum())
    solved, _ = lapack.dpotrs(root, target, lower=1)
    inverse, _ = lapack.dpotri(root, lower=1, overwrite_c=1)
    square = max(float(target @ solved), 1e-12)
    by_kernel = pairs.read(inverse) - (n / square) * solved[pairs.ones] * solved[pairs.others]
    alone = pairs.ones == pairs.others
    by_penalty = 0.5 * float(by_kernel[alone].sum())
    by_kernel[alone] *= 0.5  # all others stand for two of the matrix's numbers
    weighed = (by_kernel * kernel).astype(np.float32)
    whole, share = weighed.sum(dtype=np.float64), amplitudes / (1 + amplitudes)
    gradient = np.zeros(len(chosen))
    for place, (each, distance) in enumerate(zip(likeness, distances, strict=True)):
        slope = each / (1 + each)
        slope *= weighed
        # The product is divided by 1 + a, which its own amplitude moves, too.
        gradient[place] = slope.sum(dtype=np.float64) - whole * share[place]
        gradient[m + place] = -weights[place] * float(slope @ distance)
    gradient[-1] = chosen[-1] * by_penalty
    return 0.5 * n * float(np.log(square)) + volume, gradient


def scales_of(inputs: Inputs, blocks: Sequence[Block], seed: int) -> dict[str, float]:
    """By block, the mean squared distance of two posts; blocks in which all are alike are left
    out."""
    one, other = np.random.default_rng(seed).integers(0, len(inputs), (2, _PAIRS))
    ones, others = _values(inputs.take(one), blocks), _values(inputs.take(other), blocks)
    scales = {name: float(((ones[name] - others[name]) ** 2).sum(axis=1).mean()) for name in ones}
    return {name: scale for name, scale in scales.items() if scale > 1e-9}


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances, (n, m) float32."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None]
    return np.asarray(np.maximum(squares - 2.0 * one @ other.T, 0.0))


def _values(inputs: Inputs, blocks: Sequence[Block]) -> dict[str, np.ndarray]:
    """Each block's numbers, (n, width) float32."""
    return {block.name: block.of(inputs) for block in blocks}
