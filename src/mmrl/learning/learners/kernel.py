"""Kernel ridge regression: posts that are alike in some respects are expected to do alike.

    k(x, z) = product over blocks of (1 + a_b exp(-w_b |x_b - z_b|^2 / q_b)) / (1 + a_b)

A block is a part of the inputs: a space's components, the author's numbers, a kind of words. The
product is a sum over all sets of blocks: of what each says by itself, what each pair says together,
and so on, so that a block that says little takes little from the others (Duvenaud et al. 2011,
"Additive Gaussian processes"). q_b is the mean squared distance of two training posts in it, so
that all blocks start equal. Amplitudes a_b, weights w_b and the penalty are those under which the
training posts are likeliest, as values of a Gaussian process with this kernel (Rasmussen and
Williams 2006, "Gaussian Processes for Machine Learning", section 5.4); amplitudes and weights are
drawn to where they start. No validation post is looked at, so that a blend may judge by those.
Where there are more posts than landmarks, the solution is sought among sums over landmarks: "subset
of regressors" (Quiñonero-Candela and Rasmussen 2005, "A unifying view of sparse approximate
Gaussian process regression").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.learning.grid import Grid, is_dense
from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.blocks import SUBREDDIT, Block
from mmrl.learning.learners.kernel_choice import (
    AMPLITUDE,
    JITTER,
    WEIGHT,
    KernelChoice,
    scales_of,
    squared_distances,
)

LANDMARKS = 3_000
_PREDICT_ROWS = 2_048


@dataclass
class KernelRidge:
    """A fitted kernel ridge regression.

    Attributes:
        blocks: those that it reads.
        amplitudes: by block, a_b.
        factors: by block, what its numbers are multiplied by: the root of w_b / q_b.
        landmarks: (m, width) float32, multiplied already.
        coefficients: (m,), of the landmarks' kernels.
        mean: of the target.
        constant: what is added to each block's likeness: 1, or 0 in kernels that an earlier mmrl
            kept, whose amplitudes are 1.
    """

    blocks: tuple[Block, ...]
    amplitudes: dict[str, float]
    factors: dict[str, float]
    landmarks: np.ndarray
    coefficients: np.ndarray
    mean: float
    constant: float = 1.0

    def predict(self, inputs: Inputs) -> np.ndarray:
        """(n,) predictions, in the target's units."""
        if inputs.grid is not None:
            return self._of_grid(inputs, inputs.grid)
        predicted = np.full(len(inputs), self.mean)
        for start in range(0, len(inputs), _PREDICT_ROWS):
            rows = np.arange(start, min(start + _PREDICT_ROWS, len(inputs)))
            predicted[rows] += self.kernel(inputs.take(rows)) @ self.coefficients
        return predicted

    def kernel(self, inputs: Inputs) -> np.ndarray:
        """Of n posts with the landmarks, (n, m) float32."""
        made = np.ones((len(inputs), len(self.landmarks)), np.float32)
        for name, likeness in self._likenesses(inputs, {}):
            made *= self._factor(name, likeness)
        return made

    def _factor(self, name: str, likeness: np.ndarray) -> np.ndarray:
        """What a block makes of the kernel: 1 where posts are alike in it."""
        constant, amplitude = np.float32(self.constant), np.float32(self.amplitudes[name])
        return (constant + amplitude * likeness) / (constant + amplitude)

    def _likenesses(
        self, inputs: Inputs, columns: Mapping[str, np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray]]:
        """By block, exp(-w_b |x_b - z_b|^2 / q_b) of n posts with the landmarks, (n, m).

        Args:
            columns: by block, which of its columns count; all of one that is not named. A block of
                which none count is left out.
        """
        start = 0
        for block in self.blocks:
            every = slice(start, start + len(block.columns))
            start = every.stop
            counts = columns.get(block.name, np.ones(len(block.columns), bool))
            if counts.any():
                values = block.of(inputs)[:, counts] * np.float32(self.factors[block.name])
                landmarks = self.landmarks[:, every][:, counts]
                yield block.name, np.exp(-squared_distances(values, landmarks))

    def _of_grid(self, inputs: Inputs, grid: Grid) -> np.ndarray:
        """The kernel of a post that is made of parts is a product of each part's.

        A block of one part is a factor of its part. Of a block that several parts share, a post's
        likeness is the product of its parts'.
        """
        examples = grid.examples()
        parts_of = {block.name: _parts_of(block, grid) for block in self.blocks}
        shared = [name for name, parts in parts_of.items() if len(np.unique(parts)) > 1]
        whole: list[np.ndarray] = []
        likenesses: list[dict[str, np.ndarray]] = []
        for part in grid.parts():
            some = inputs.take(examples[part][0])
            here = {name: parts == part for name, parts in parts_of.items()}
            whole.append(np.ones((len(some), len(self.landmarks)), np.float32))
            likenesses.append({})
            for name, likeness in self._likenesses(some, here):
                if name in shared:
                    likenesses[-1][name] = likeness
                else:
                    whole[-1] *= self._factor(name, likeness)
        which = [numbers for _, numbers in examples]
        if len(whole) == 2 and is_dense(examples, len(inputs)):
            return np.asarray(self.mean + self._table(whole, likenesses, shared)[tuple(which)])
        predicted = np.full(len(inputs), self.mean)
        for start in range(0, len(inputs), _PREDICT_ROWS):
            rows = slice(start, start + _PREDICT_ROWS)
            kernel = whole[0][which[0][rows]]
            for each, numbers in zip(whole[1:], which[1:], strict=True):
                kernel *= each[numbers[rows]]
            for name in shared:
                shown: Any = np.float32(1.0)
                for of_part, numbers in zip(likenesses, which, strict=True):
                    if name in of_part:
                        shown = shown * of_part[name][numbers[rows]]
                kernel *= self._factor(name, shown)
            predicted[rows] += kernel @ self.coefficients
        return predicted

    def _table(
        self,
        whole: Sequence[np.ndarray],
        likenesses: Sequence[Mapping[str, np.ndarray]],
        shared: Sequence[str],
    ) -> np.ndarray:
        """The kernels of all pairs of two parts, by the coefficients.

        Each shared block makes two terms, without its likeness and with it, of which each is a
        product of the parts'.
        """
        table = np.zeros((len(whole[0]), len(whole[1])))
        for with_it in product((False, True), repeat=len(shared)):
            scale, (one, other) = 1.0, (each.astype(np.float64) for each in whole)
            for name, there in zip(shared, with_it, strict=True):
                amplitude = self.amplitudes[name]
                scale *= (amplitude if there else self.constant) / (self.constant + amplitude)
                if there:
                    one *= likenesses[0][name]
                    other *= likenesses[1][name]
            if scale:
                table += scale * ((one * self.coefficients) @ other.T)
        return table

    def save(self, stem: Path) -> None:
        """Writes `STEM.npz`."""
        np.savez(stem.with_suffix(".npz"), landmarks=self.landmarks, coefficients=self.coefficients)

    def facts(self) -> dict[str, Any]:
        """What `load` needs besides the file, as JSON can hold it."""
        return {
            "library": "kernel",
            "blocks": [block.as_json() for block in self.blocks],
            "amplitudes": self.amplitudes,
            "factors": self.factors,
            "mean": self.mean,
            "constant": self.constant,
        }

    @classmethod
    def load(cls, stem: Path, facts: Mapping[str, Any]) -> "KernelRidge":
        """Reads what `save` wrote."""
        with np.load(stem.with_suffix(".npz"), allow_pickle=False) as stored:
            landmarks, coefficients = stored["landmarks"], stored["coefficients"]
        blocks = tuple(Block.from_json(block) for block in facts["blocks"])
        factors = dict(facts["factors"])
        amplitudes = dict(facts.get("amplitudes", dict.fromkeys(factors, 1.0)))
        constant = facts.get("constant", 0.0)
        return cls(blocks, amplitudes, factors, landmarks, coefficients, facts["mean"], constant)


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
        name: float(np.sqrt(choice.weights.get(name, WEIGHT) / scale))
        for name, scale in scales_of(inputs, blocks, seed).items()
    }
    amplitudes = {name: choice.amplitudes.get(name, AMPLITUDE) for name in factors}
    used = tuple(block for block in blocks if block.name in factors)
    rows = np.arange(n)
    if n > landmarks:
        rows = np.sort(np.random.default_rng(seed).choice(n, landmarks, replace=False))
    drawn = inputs.take(rows)
    multiplied = [block.of(drawn) * np.float32(factors[block.name]) for block in used]
    nothing = np.zeros(len(rows))
    fitted = KernelRidge(
        used, amplitudes, factors, np.concatenate(multiplied, axis=1), nothing, mean
    )
    centred = target - mean
    gram = fitted.kernel(drawn).astype(np.float64)
    if n <= landmarks:
        gram[np.diag_indices(n)] += choice.penalty
        fitted.coefficients = _solve(gram, centred)
        return fitted
    gram = np.asfortranarray(choice.penalty * gram + JITTER * n * np.eye(landmarks))
    right = np.zeros(landmarks)
    for start in range(0, n, _PREDICT_ROWS):
        some = slice(start, start + _PREDICT_ROWS)
        # In float32 the sums' rounding alone makes eigenvalues of less than zero.
        part = fitted.kernel(inputs.take(some)).astype(np.float64)
        gram = dsyrk(1.0, part.T, beta=1.0, c=gram, lower=True, overwrite_c=True)
        right += part.T @ centred[some]
    fitted.coefficients = _solve(gram, right)
    return fitted


def _parts_of(block: Block, grid: Grid) -> np.ndarray:
    """Which part of the posts each of a block's columns is of, (width,)."""
    if block.name == SUBREDDIT:
        return np.full(len(block.columns), grid.subreddit)
    return grid.part_of[block.modality][list(block.columns)]


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg import cho_factor, cho_solve

    return np.asarray(cho_solve(cho_factor(matrix, lower=True), right))
