"""Boosted trees as arrays: predicting needs neither CatBoost nor LightGBM.

A node that a post goes right at sets some bits of the tree's number for that post, and the number
names the leaf. In CatBoost's trees, whose nodes of one depth ask the same, it is the leaf's own. In
LightGBM's, a node sets the bits of the leaves to its left, and the leaf is that of the first bit
that nothing set (Lucchese et al. 2015, "QuickScorer"). Either way the numbers of several sets of
columns join by `or`, so that posts of a grid cost little more than their parts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.learning.grid import Grid, is_dense

_CELLS = 4_000_000  # nodes times posts, at a time
_NODES = 8  # of a tree, about: posts of a grid cost a cell a tree, not a node
_MOST_LEAVES = 16  # of a tree whose leaves are in order: as many bits
_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of LightGBM's decision types; then what counts as missing
_MISSING_ZERO, _MISSING_NAN = 1, 2


@dataclass(frozen=True)
class Forest:
    """T trees with m nodes, sorted by tree.

    Attributes:
        tree: (m,) each node's tree.
        column: (m,) what it looks at.
        threshold: (m,) float32; a post goes right whose value is larger.
        missing: (m,) bool, whether a post goes right that has no value.
        code: (m,) uint16, the bits that going right sets.
        leaves: (T, most leaves of a tree) float64.
        in_order: whether the first bit that is not set names the leaf; else the bits number it.
        scale, bias: the prediction is the sum of the leaves, scaled, and the bias.
    """

    tree: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    missing: np.ndarray
    code: np.ndarray
    leaves: np.ndarray
    in_order: bool
    scale: float = 1.0
    bias: float = 0.0

    def predict(self, values: np.ndarray) -> np.ndarray:
        """(n,) predictions of n posts, (n, width) float32; NaN where a value is missing."""
        total = np.zeros(len(values))
        everything = np.arange(len(self.tree))
        for trees in self._parts(len(values)):
            total += self._leaves_of(trees, self._numbers(trees, everything, values)).sum(axis=0)
        return self.scale * total + self.bias

    def of_grid(self, values: Sequence[np.ndarray], part_of: np.ndarray, grid: Grid) -> np.ndarray:
        """(n,) predictions of the posts of a grid.

        Args:
            values: of each part, those of its examples in all columns, (its examples, width).
            part_of: (width,) the part that each column is of.
        """
        examples = grid.examples()
        posts = len(examples[0][1])
        dense = len(values) == 2 and is_dense(examples, posts)
        nodes = [np.flatnonzero(part_of[self.column] == part) for part in grid.parts()]
        total: Any = 0.0
        for trees in self._parts(max(*map(len, values), posts // _NODES)):
            numbers = [
                self._numbers(trees, of_part, seen)
                for of_part, seen in zip(nodes, values, strict=True)
            ]
            if dense:
                joined = numbers[0][:, :, None] | numbers[1][:, None, :]
            else:
                joined = numbers[0][:, examples[0][1]]
                for each, (_, which) in zip(numbers[1:], examples[1:], strict=True):
                    joined |= each[:, which]
            total = total + self._leaves_of(trees, joined).sum(axis=0)
        sums = total[examples[0][1], examples[1][1]] if dense else total
        return np.asarray(self.scale * sums + self.bias)

    def _parts(self, posts: int) -> Iterator[range]:
        """Stretches of trees, so short that their nodes and so many posts fit in memory."""
        trees = len(self.leaves)
        step = max(1, _CELLS * trees // max(1, len(self.tree) * posts))
        return (range(start, min(start + step, trees)) for start in range(0, trees, step))

    def _numbers(self, trees: range, nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """What some nodes of some trees set for each post, (trees, n) uint16."""
        numbers = np.zeros((len(trees), len(values)), np.uint16)
        first, last = np.searchsorted(self.tree[nodes], (trees.start, trees.stop))
        nodes = nodes[first:last]
        if not len(nodes) or not len(values):
            return numbers
        seen = values.T[self.column[nodes]]
        right = seen > self.threshold[nodes, None]
        right |= np.isnan(seen) & self.missing[nodes, None]
        having, starts = np.unique(self.tree[nodes], return_index=True)
        codes = right * self.code[nodes, None]
        numbers[having - trees.start] = np.bitwise_or.reduceat(codes, starts, axis=0)
        return numbers

    def _leaves_of(self, trees: range, numbers: np.ndarray) -> np.ndarray:
        """The value of the leaf that each number names, (trees, ...)."""
        leaf = self._first_unset[numbers] if self.in_order else numbers.astype(np.int32)
        at = np.arange(trees.start, trees.stop, dtype=np.int32) * self.leaves.shape[1]
        return self.leaves.ravel()[leaf + at.reshape(-1, *[1] * (numbers.ndim - 1))]

    @cached_property
    def _first_unset(self) -> np.ndarray:
        """Of each number of 16 bits, the lowest bit that is not set."""
        numbers = np.arange(1 << _MOST_LEAVES, dtype=np.int64)
        lowest = ~numbers & (numbers + 1)
        return np.log2(lowest).astype(np.int32)

    def save(self, file: Path) -> None:
        """Writes the arrays."""
        arrays: dict[str, Any] = dict(vars(self))
        arrays.pop("_first_unset", None)
        np.savez(file, **arrays)

    @classmethod
    def load(cls, file: Path) -> "Forest":
        """Reads what `save` wrote; raises ValueError, OSError or BadZipFile for a broken file."""
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        in_order, scale, bias = (arrays.pop(name).item() for name in ("in_order", "scale", "bias"))
        return cls(**arrays, in_order=in_order, scale=scale, bias=bias)


def of_catboost(model: Mapping[str, Any]) -> Forest:
    """The trees of a CatBoost model, as it writes them in JSON."""
    features = model["features_info"]["float_features"]
    flat = {one["feature_index"]: one["flat_feature_index"] for one in features}
    goes_right = {one["feature_index"]: one["nan_value_treatment"] == "AsTrue" for one in features}
    nodes, leaves = [], []
    for number, tree in enumerate(model["oblivious_trees"]):
        leaves.append(tree["leaf_values"])
        for depth, split in enumerate(tree["splits"] or ()):
            feature = split["float_feature_index"]
            nodes.append((number, flat[feature], split["border"], goes_right[feature], 1 << depth))
    scale, (bias,) = model["scale_and_bias"]
    return _forest(nodes, leaves, in_order=False, scale=scale, bias=bias)


def of_lightgbm(text: str) -> Forest:
    """The trees of a LightGBM model, as it writes them in a file.

    Raises:
        ValueError: they are other trees than mmrl has LightGBM grow.
    """
    nodes, leaves = [], []
    for number, part in enumerate(text.split("\nTree=")[1:]):
        lines = (line.split("=", 1) for line in part.split("\n\n", 1)[0].split("\n")[1:])
        facts = {line[0]: line[1].split() for line in lines if len(line) == 2}
        values = [float(value) for value in facts["leaf_value"]]
        if len(values) > _MOST_LEAVES:
            raise ValueError(f"a tree has {len(values)} leaves, {_MOST_LEAVES} are the most")
        order: list[int] = []
        if len(values) == 1:
            order.append(0)
        else:
            nodes += [(number, *node) for node in _lightgbm_nodes(facts, order)]
        leaves.append([values[leaf] for leaf in order])
    return _forest(nodes, leaves, in_order=True)


def _lightgbm_nodes(
    facts: Mapping[str, list[str]], order: list[int]
) -> list[tuple[int, float, bool, int]]:
    """Column, threshold, whether missing values go right, and bits of a tree's nodes.

    Args:
        order: gets the leaves from left to right.
    """
    columns, kinds = (list(map(int, facts[name])) for name in ("split_feature", "decision_type"))
    thresholds = list(map(float, facts["threshold"]))
    children = [list(map(int, facts[f"{side}_child"])) for side in ("left", "right")]
    nodes = []

    def walk(node: int) -> None:
        if node < 0:
            order.append(~node)
            return
        first = len(order)
        walk(children[0][node])
        bits = (1 << len(order)) - (1 << first)
        missing = kinds[node] >> 2
        if kinds[node] & _CATEGORICAL or missing == _MISSING_ZERO:
            raise ValueError("a tree has splits of another kind than by a number's size")
        right = not kinds[node] & _DEFAULT_LEFT
        if missing != _MISSING_NAN:  # then a missing value counts as 0
            right = thresholds[node] < 0
        nodes.append((columns[node], thresholds[node], right, bits))
        walk(children[1][node])

    walk(0)
    return nodes


def _forest(
    nodes: list[tuple[int, int, float, bool, int]], leaves: list[list[float]], **rest: Any
) -> Forest:
    kinds = (np.int32, np.int32, np.float64, bool, np.uint16)
    empty: Any = [()] * len(kinds)
    columns = zip(kinds, list(zip(*nodes, strict=True)) or empty, strict=True)
    tree, column, threshold, missing, code = (np.array(each, kind) for kind, each in columns)
    # Values are float32: one is larger than a threshold where it is larger than the next float32
    # below it.
    single = threshold.astype(np.float32)
    above = single.astype(np.float64) > threshold
    single[above] = np.nextafter(single[above], np.float32(-np.inf))
    table = np.zeros((len(leaves), max(map(len, leaves), default=1)))
    for number, values in enumerate(leaves):
        table[number, : len(values)] = values
    return Forest(tree, column, single, missing, code, table, **rest)
