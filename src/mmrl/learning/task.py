"""Learning task: a split's training, validation and test posts, ready for any learner."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mmrl.config import Settings
from mmrl.learning.inputs import MODALITIES, Encoding, FeatureSpec, Inputs
from mmrl.learning.splits import Split
from mmrl.learning.targets import target_values


@dataclass(frozen=True)
class Part:
    """Training, validation or test posts: as samples, as inputs, and what is to be predicted."""

    samples: pa.Table
    inputs: Inputs
    target: np.ndarray


@dataclass(frozen=True)
class Task:
    """A split, ready for any learner."""

    train: Part
    validation: Part
    test: Part
    spec: FeatureSpec
    seed: int
    threads: int | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that the samples have a column of."""
        return tuple(name for name in MODALITIES if name in self.train.inputs.values)


def prepare(
    samples: pa.Table, split: Split, settings: Settings, encoders: Mapping[str, str]
) -> tuple[Task, Encoding]:
    """The task of a split, and the encoding of its inputs, fitted on the training posts alone."""
    target = target_values(samples, settings.train.target)
    tables = [samples.take(pa.array(rows)) for rows in (split.train, split.validation, split.test)]
    encoding = Encoding.fit(tables[0], encoders, settings.train.seed)
    train, validation, test = (
        Part(table, encoding(table), target[rows])
        for table, rows in zip(tables, (split.train, split.validation, split.test), strict=True)
    )
    task = Task(train, validation, test, encoding.spec, settings.train.seed, settings.threads)
    return task, encoding
