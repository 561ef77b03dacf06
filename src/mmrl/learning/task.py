"""Learning task: a split's posts, encoded and ready for any learner.

A learner is fitted twice. The first fit is on the training posts and chooses on the validation
posts how long to learn. The second fit takes that choice and learns from both, and from posts in
the gap between them, so that the newest posts before the test posts are learned from, too: a
community's level moves, and one that is new in the validation posts becomes known.
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
from mmrl.samples.batches import HeldVectors, Vectors
from mmrl.samples.load import mature_after


@dataclass(frozen=True)
class Part:
    """Some of a split's posts: as samples without vectors, as inputs, and what to predict."""

    samples: pa.Table
    inputs: Inputs
    target: np.ndarray

    def slice(self, start: int, stop: int) -> "Part":
        """The posts from one place to before another; the same arrays, not copies."""
        some = slice(start, stop)
        return Part(
            self.samples.slice(start, stop - start), self.inputs.take(some), self.target[some]
        )


@dataclass(frozen=True)
class Task:
    """A split, ready for any learner.

    All parts' inputs are slices of the same arrays, encoded as the training posts say; only which
    subreddits are known by name is of the posts of the second fit.

    Attributes:
        train, validation: for the first fit.
        both: the training posts, those between, and the validation posts, in this order, for the
            second fit.
        test: to be judged on.
        spec: of the inputs.
        test_vectors: of the test posts, for models that encode them in another way.
        mature_after: the maturity age.
        in_time: whether every test post is newer than all that is learned from.
    """

    train: Part
    validation: Part
    both: Part
    test: Part
    spec: FeatureSpec
    test_vectors: Vectors
    seed: int
    mature_after: timedelta
    in_time: bool
    threads: int | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that the samples have a column of."""
        return tuple(name for name in MODALITIES if name in self.train.inputs.values)


def prepare(
    samples: pa.Table,
    split: Split,
    settings: Settings,
    encoders: Mapping[str, str],
    vectors: Vectors | None = None,
) -> tuple[Task, Encoding]:
    """The task of a split, and the encoding of its inputs, fitted without a look at test posts.

    Args:
        vectors: of the samples; those that the table holds for None.
    """
    options = settings.train
    vectors = vectors or HeldVectors(samples)
    trained, learned = len(split.train), len(split.learned)
    rows = np.concatenate([split.learned, split.test])
    held = [name for name in samples.schema.names if name not in vectors.dims]
    facts, vectors = samples.select(held).take(pa.array(rows)), vectors.of(rows)
    encoding = Encoding.fit(
        facts.slice(0, trained),
        encoders,
        options.seed,
        vectors=vectors.of(np.arange(trained)),
        both=facts.slice(0, learned),
    )
    target = target_values(facts, options.target)
    every = Part(facts, encoding(facts, vectors=vectors), target)
    task = Task(
        every.slice(0, trained),
        every.slice(learned - len(split.validation), learned),
        every.slice(0, learned),
        every.slice(learned, len(rows)),
        encoding.spec,
        vectors.of(np.arange(learned, len(rows))),
        options.seed,
        mature_after(settings),
        not split.leaking,
        settings.threads,
    )
    return task, encoding
