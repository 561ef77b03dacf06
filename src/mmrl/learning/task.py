"""Learning task: a split's posts, encoded and ready for any learner.

A learner is fitted twice. The first fit is on the training posts and chooses on the validation
posts how long to learn. The second fit takes that choice and learns from both, so that the newest
posts before the test posts are learned from, too: a community's level moves, and one that is new
in the validation posts becomes known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa

from mmrl.config import Settings
from mmrl.learning.inputs import MODALITIES, Encoding, FeatureSpec, Inputs
from mmrl.learning.splits import Split
from mmrl.learning.targets import target_values
from mmrl.samples.load import mature_after


@dataclass(frozen=True)
class Part:
    """Some of a split's posts: as samples, as inputs, and what is to be predicted."""

    samples: pa.Table
    inputs: Inputs
    target: np.ndarray


@dataclass(frozen=True)
class Task:
    """A split, ready for any learner.

    Attributes:
        train, validation: for the first fit; their inputs are encoded as the training posts say.
        both, test: for the second fit; `both` are the training and validation posts, and the
            inputs are encoded as those say.
        test_of_train: the test posts, encoded as the training posts say, for what is fitted once.
        spec: of the inputs of `train`, `validation` and `test_of_train`.
        spec_of_both: of the inputs of `both` and `test`.
        mature_after: the maturity age.
        in_time: whether every test post is newer than all that is learned from.
    """

    train: Part
    validation: Part
    both: Part
    test: Part
    test_of_train: Part
    spec: FeatureSpec
    spec_of_both: FeatureSpec
    seed: int
    mature_after: timedelta
    in_time: bool
    threads: int | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that the samples have a column of."""
        return tuple(name for name in MODALITIES if name in self.train.inputs.values)


def prepare(
    samples: pa.Table, split: Split, settings: Settings, encoders: Mapping[str, str]
) -> tuple[Task, Encoding]:
    """The task of a split, and the encoding of its test inputs; no test post is looked at."""
    options = settings.train
    target = target_values(samples, options.target)

    def part(rows: np.ndarray, encoding: Encoding) -> Part:
        table = samples.take(pa.array(rows))
        return Part(table, encoding(table), target[rows])

    rows = np.concatenate([split.train, split.validation])
    first = Encoding.fit(samples.take(pa.array(split.train)), encoders, options.seed)
    second = Encoding.fit(samples.take(pa.array(rows)), encoders, options.seed)
    task = Task(
        part(split.train, first),
        part(split.validation, first),
        part(rows, second),
        part(split.test, second),
        part(split.test, first),
        first.spec,
        second.spec,
        options.seed,
        mature_after(settings),
        not split.leaking,
        settings.threads,
    )
    return task, second
