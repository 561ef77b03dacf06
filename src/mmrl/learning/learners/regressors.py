"""Regressors: learners of a point, beside the network; each is fitted twice, saved and loaded."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.blocks import blocks_of
from mmrl.learning.learners.foreign import fit_foreign, is_foreign, load_foreign
from mmrl.learning.learners.kernel import KernelRidge, fit_kernel
from mmrl.learning.learners.kernel_choice import choose_kernel
from mmrl.learning.learners.trees import Library, Trees, fit_trees
from mmrl.learning.task import Task


class Regressor(Protocol):
    """A fitted learner of a point."""

    def predict(self, inputs: Inputs) -> np.ndarray:
        """(n,) predictions, in the target's units."""

    def save(self, stem: Path) -> None:
        """Writes a file beside others, named by the stem."""

    def facts(self) -> dict[str, Any]:
        """What `load_regressor` needs besides the file, as JSON can hold it."""


def load_regressor(stem: Path, facts: Mapping[str, Any]) -> Regressor:
    """Reads what a regressor's `save` wrote; raises its library's own error for a broken file."""
    if is_foreign(facts["library"]):
        return load_foreign(stem, facts)
    if facts["library"] == "kernel":
        return KernelRidge.load(stem, facts)
    return Trees.load(stem, facts)


def fit_twice(
    library: str, task: Task, unread: Collection[str] = ()
) -> tuple[Regressor, Regressor]:
    """The first fit, on the training posts, and the second; see `mmrl.learning.task`.

    Args:
        library: a library of trees, `kernel`, or a package's learner.
        unread: numbers of "post" that trees leave out.
    """
    if is_foreign(library):
        return fit_foreign(library, task)
    if library == "kernel":
        return _kernel_twice(task)
    trees = cast(Library, library)
    columns = task.spec.columns_of("post", unread)
    fit = partial(
        fit_trees,
        trees,
        modalities=task.modalities,
        seed=task.seed,
        threads=task.threads,
        unread=columns,
    )
    return fit(task.train), fit(task.both)


def _kernel_twice(task: Task) -> tuple[Regressor, Regressor]:
    train, both = task.train, task.both
    blocks = blocks_of(task.spec, train.inputs, task.modalities)
    choice = choose_kernel(train.inputs, train.target, blocks, task.seed)
    first = fit_kernel(train.inputs, train.target, blocks, choice, task.seed)
    return first, fit_kernel(both.inputs, both.target, blocks, choice, task.seed)
