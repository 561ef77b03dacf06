"""Learners of other packages: fitted, saved and loaded as the model's own regressors are.

A class that a package offers under `mmrl.learners` has

    label                                       its name for people
    fit(learn, choose, seed) -> instance        a classmethod: learns a `task.Part`; may choose on
                                                another one, which is None for the second fit
    predict(inputs) -> (n,) array               of `inputs.Inputs`, in the target's units
    save(stem), load(stem, facts)               writes a file beside others; a classmethod reads it
    facts()                                     what `load` needs besides, as JSON can hold it
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.errors import ConfigError
from mmrl.learning.inputs import Inputs
from mmrl.learning.task import Task
from mmrl.runtime.extensions import extensions

_MARK = "extension:"  # before the name, where a model's own learners have a library's


@dataclass(frozen=True)
class Foreign:
    """A fitted learner of another package, as a `regressors.Regressor`."""

    name: str
    fitted: Any

    def predict(self, inputs: Inputs) -> np.ndarray:
        """(n,) predictions.

        Raises:
            ConfigError: they are no n finite numbers.
        """
        values = np.asarray(self.fitted.predict(inputs), dtype=np.float64)
        if values.shape != (len(inputs),) or not np.isfinite(values).all():
            raise ConfigError(
                f"The learner {self.name!r} of another package predicts an array of shape "
                f"{values.shape} for {len(inputs)} posts: one finite number a post is expected."
            )
        return values

    def save(self, stem: Path) -> None:
        """Lets it write its file."""
        self.fitted.save(stem)

    def facts(self) -> dict[str, Any]:
        """Its own, and whose it is."""
        return {**self.fitted.facts(), "library": library(self.name)}


def library(name: str) -> str:
    """What stands for a package's learner where a model's own has its library."""
    return f"{_MARK}{name}"


def is_foreign(library: str) -> bool:
    """Whether a library's name stands for a package's learner."""
    return library.startswith(_MARK)


def fit_foreign(library: str, task: Task) -> tuple[Foreign, Foreign]:
    """The first fit, on the training posts, and the second; see `mmrl.learning.task`."""
    name = library.removeprefix(_MARK)
    kind = _kind(name)
    first = kind.fit(task.train, task.validation, task.seed)
    return Foreign(name, first), Foreign(name, kind.fit(task.both, None, task.seed))


def load_foreign(stem: Path, facts: Mapping[str, Any]) -> Foreign:
    """Reads what `save` wrote.

    Raises:
        ConfigError: its package is not installed.
    """
    name = str(facts["library"]).removeprefix(_MARK)
    return Foreign(name, _kind(name).load(stem, facts))


def _kind(name: str) -> Any:
    known = dict(extensions("learners"))
    if name not in known:
        raise ConfigError(
            f"The model needs the learner {name!r}, which no installed package offers: install the "
            "package that it was trained with."
        )
    return known[name]
