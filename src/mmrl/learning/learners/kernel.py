"""Kernel ridge regression: posts that are alike in every respect are expected to do alike.

    k(x, z) = exp(-sum over blocks of w_b |x_b - z_b|^2 / q_b)

A block is a part of the inputs: a space's first components, the author's numbers, a kind of words.
q_b is the mean squared distance of two training posts in it, so that all weights w_b start equal.
Weights and penalty are those under which the training posts are likeliest, as values of a Gaussian
process with this kernel (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning",
section 5.4), drawn to where they start. No validation post is looked at, so that a blend may judge
by those. Where there are more posts than landmarks, the solution is sought among sums over
landmarks: "subset of regressors" (Quiñonero-Candela and Rasmussen 2005, "A unifying view of sparse
approximate Gaussian process regression").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.learning.grid import Grid, is_dense
from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.blocks import SUBREDDIT, Block

LANDMARKS = 3_000
_CHOSEN_ON = 1_000  # training posts, by which weights are chosen
_START = 0.1  # of each weight
_DRAWN = 2.0  # standard deviation of the logarithm of a weight, before anything is seen
_PENALTY = 0.5  # at the start, in units of k(x, x) = 1
_FACTORS = (0.25, 0.5, 2.0, 4.0)  # by which a weight is tried to be changed
_TURNS = 2
_PAIRS = 2_000  # on which q_b is taken
_PREDICT_ROWS = 2_048
_JITTER = 1e-6


@dataclass(frozen=True)
class KernelChoice:
    """What is chosen before the fit.

    Attributes:
        weights: by block, w_b.
        penalty: added to the diagonal.
    """

    weights: dict[str, float]
    penalty: float


@dataclass
class KernelRidge:
    """A fitted kernel ridge regression.

    Attributes:
        blocks: those that it reads.
        factors: by block, what its numbers are multiplied by: the root of w_b / q_b.
        landmarks: (m, width) float32, multiplied already.
        coefficients: (m,), of the landmarks' kernels.
        mean: of the target.
    """

    blocks: tuple[Block, ...]
    factors: dict[str, float]
    landmarks: np.ndarray
    coefficients: np.ndarray
    mean: float

    def predict(self, inputs: Inputs) -> np.ndarray:
        """(n,) predictions, in the target's units."""
        if inputs.grid is not None:
            return self._of_grid(inputs, inputs.grid)
        predicted = np.full(len(inputs), self.mean)
        for start in range(0, len(inputs), _PREDICT_ROWS):
            rows = np.arange(start, min(start + _PREDICT_ROWS, len(inputs)))
            values = _multiplied(_values(inputs.take(rows), self.blocks), self.factors)
            predicted[rows] += _kernel(values, self.landmarks) @ self.coefficients
        return predicted

    def _of_grid(self, inputs: Inputs, grid: Grid) -> np.ndarray:
        """The kernel of a post that is made of parts is a product: of each part's."""
        part_of = np.concatenate([_part_of(block, grid) for block in self.blocks])
        examples = grid.examples()

        def kernel(part: int) -> np.ndarray:
            rows, columns = examples[part][0], part_of == part
            values = _multiplied(_values(inputs.take(rows), self.blocks), self.factors)
            return _kernel(values[:, columns], self.landmarks[:, columns])

        kernels = [kernel(part) for part in grid.parts()]
        if len(kernels) == 2 and is_dense(examples, len(inputs)):
            one, other = (each.astype(np.float64) for each in kernels)
            table = (one * self.coefficients) @ other.T
            return np.asarray(self.mean + table[examples[0][1], examples[1][1]])
        predicted = np.full(len(inputs), self.mean)
        for start in range(0, len(inputs), _PREDICT_ROWS):
            rows = slice(start, start + _PREDICT_ROWS)
            product = kernels[0][examples[0][1][rows]]
            for each, (_, which) in zip(kernels[1:], examples[1:], strict=True):
                product *= each[which[rows]]
            predicted[rows] += product @ self.coefficients
        return predicted

    def save(self, stem: Path) -> None:
        """Writes `STEM.npz`."""
        np.savez(stem.with_suffix(".npz"), landmarks=self.landmarks, coefficients=self.coefficients)

    def facts(self) -> dict[str, Any]:
        """What `load` needs besides the file, as JSON can hold it."""
        return {
            "library": "kernel",
            "blocks": [block.as_json() for block in self.blocks],
            "factors": self.factors,
            "mean": self.mean,
        }

    @classmethod
    def load(cls, stem: Path, facts: Mapping[str, Any]) -> "KernelRidge":
        """Reads what `save` wrote."""
        with np.load(stem.with_suffix(".npz"), allow_pickle=False) as stored:
            landmarks, coefficients = stored["landmarks"], stored["coefficients"]
        blocks = tuple(Block.from_json(block) for block in facts["blocks"])
        return cls(blocks, dict(facts["factors"]), landmarks, coefficients, facts["mean"])


def choose_kernel(
    inputs: Inputs, target: np.ndarray, blocks: Sequence[Block], seed: int
) -> KernelChoice:
    """The weights and the penalty under which the posts are likeliest; each in turn is tried larger
    and smaller. Of more than 1,000 posts, as many are drawn.
    """
    count = min(len(target), _CHOSEN_ON)
    rows = np.sort(np.random.default_rng(seed).choice(len(target), count, replace=False))
    values, chosen = _values(inputs.take(rows), blocks), target[rows]
    scales = _scales(inputs.take(rows), blocks, seed)
    distances = {name: _distances(values[name], values[name]) / scales[name] for name in scales}
    best = KernelChoice(dict.fromkeys(scales, _START), _PENALTY)
    least = _unlikeliness(best, distances, chosen)
    for _ in range(_TURNS):
        for name in (*scales, None):
            for tried in [_changed(best, name, factor) for factor in _FACTORS]:
                if (unlikely := _unlikeliness(tried, distances, chosen)) < least:
                    best, least = tried, unlikely
    return best


def fit_kernel(
    inputs: Inputs,
    target: np.ndarray,
    blocks: Sequence[Block],
    choice: KernelChoice,
    seed: int,
    *,
    landmarks: int = LANDMARKS,
) -> KernelRidge:
    """Fits on n posts; of more than `landmarks`, as many are drawn."""
    from scipy.linalg.blas import dsyrk

    n, mean = len(target), float(target.mean())
    factors = {
        name: float(np.sqrt(choice.weights.get(name, _START) / scale))
        for name, scale in _scales(inputs, blocks, seed).items()
    }
    used = tuple(block for block in blocks if block.name in factors)

    def points(rows: np.ndarray | slice) -> np.ndarray:
        return _multiplied(_values(inputs.take(rows), used), factors)

    centred = target - mean
    if n <= landmarks:
        every = points(slice(None))
        kernel = _kernel(every, every)
        held = kernel + np.float32(choice.penalty) * np.eye(n, dtype=np.float32)
        return KernelRidge(used, factors, every, _solve(held, centred), mean)
    rng = np.random.default_rng(seed)
    drawn = points(np.sort(rng.choice(n, landmarks, replace=False)))
    gram = choice.penalty * _kernel(drawn, drawn).astype(np.float64)
    gram = np.asfortranarray(gram + _JITTER * n * np.eye(landmarks))
    right = np.zeros(landmarks)
    for start in range(0, n, _PREDICT_ROWS):
        rows = slice(start, start + _PREDICT_ROWS)
        # In float32 the sums' rounding alone makes eigenvalues of less than zero.
        part = _kernel(points(rows), drawn).astype(np.float64)
        gram = dsyrk(1.0, part.T, beta=1.0, c=gram, lower=True, overwrite_c=True)
        right += part.T @ centred[rows]
    return KernelRidge(used, factors, drawn, _solve(gram, right), mean)


def _part_of(block: Block, grid: Grid) -> np.ndarray:
    """Which part of the posts each of a block's columns is of, (width,)."""
    if block.name == SUBREDDIT:
        return np.full(len(block.columns), grid.subreddit)
    return grid.part_of[block.modality][list(block.columns)]


def _values(inputs: Inputs, blocks: Sequence[Block]) -> dict[str, np.ndarray]:
    """Each block's numbers, (n, width) float32."""
    return {block.name: block.of(inputs) for block in blocks}


def _unlikeliness(
    choice: KernelChoice, distances: Mapping[str, np.ndarray], target: np.ndarray
) -> float:
    """The negative log of the target's likelihood at its likeliest scale, and of the weights'."""
    from scipy.linalg import solve_triangular

    n = len(target)
    kernel = _of_distances(distances, choice.weights).astype(np.float64)
    root = np.linalg.cholesky(kernel + choice.penalty * np.eye(n))
    whitened = solve_triangular(root, target - target.mean(), lower=True)
    likelihood = (
        0.5 * n * np.log(max(float(whitened @ whitened), 1e-12)) + np.log(np.diag(root)).sum()
    )
    drawn = [(np.log(weight / _START) / _DRAWN) ** 2 for weight in choice.weights.values()]
    return float(likelihood + 0.5 * sum(drawn))


def _scales(inputs: Inputs, blocks: Sequence[Block], seed: int) -> dict[str, float]:
    """By block, the mean squared distance of two posts; blocks in which all are alike are left
    out."""
    one, other = np.random.default_rng(seed).integers(0, len(inputs), (2, _PAIRS))
    ones, others = _values(inputs.take(one), blocks), _values(inputs.take(other), blocks)
    scales = {name: float(((ones[name] - others[name]) ** 2).sum(axis=1).mean()) for name in ones}
    return {name: scale for name, scale in scales.items() if scale > 1e-9}


def _multiplied(values: Mapping[str, np.ndarray], factors: Mapping[str, float]) -> np.ndarray:
    parts = [values[name] * np.float32(factor) for name, factor in factors.items()]
    return np.concatenate(parts, axis=1)


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances, (n, m) float32."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None]
    return np.asarray(np.maximum(squares - 2.0 * one @ other.T, 0.0))


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-_distances(one, other)))


def _of_distances(distances: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    total = sum(np.float32(weights[name]) * each for name, each in distances.items())
    return np.asarray(np.exp(-total))


def _changed(choice: KernelChoice, name: str | None, factor: float) -> KernelChoice:
    """With a block's weight, or the penalty for None, multiplied."""
    if name is None:
        return KernelChoice(choice.weights, choice.penalty * factor)
    return KernelChoice({**choice.weights, name: choice.weights[name] * factor}, choice.penalty)


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg import cho_factor, cho_solve

    return np.asarray(cho_solve(cho_factor(matrix, lower=True), right))
