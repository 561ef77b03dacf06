"""Splits: the posts a model learns from, is tuned on, and is judged on, by time.

Labelled posts are ordered by (created_at, post_id). The last `test_share` of them are the test
posts, the `validation_share` before them the validation posts, the rest the training posts. Posts
created at the same instant as the first post of the later part move into the later part. Then a
gap is cut: a post is left out of training when its label was not yet known when the first
validation post went up, and out of validation when it was not yet known when the first test post
went up. So every label learned from could have been had at the time of every later prediction.

When a label was known, `mmrl.samples.known_at` says: a watched post's from its label look, an
imported one's from when it matured.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import pyarrow as pa

from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.samples.features import microseconds
from mmrl.samples.known_at import label_known_at


@dataclass(frozen=True)
class Split:
    """Row numbers of the samples, each part in time's order.

    Attributes:
        gap: labelled posts that lie in a gap and are in no part.
        kind: "time", or "random", which leaks the future.
        gap_hours: the maturity age, the shortest a gap can be; 0 for a random split.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    gap: np.ndarray
    kind: Literal["time", "random"]
    gap_hours: float

    @property
    def leaking(self) -> bool:
        """Whether training posts are younger than test posts."""
        return self.kind == "random"


def split_samples(samples: pa.Table, usable: np.ndarray, settings: Settings) -> Split:
    """Splits as the settings say.

    Args:
        usable: which rows (n, bool) have the label that the target needs.

    Raises:
        InputError: a part would be empty.
    """
    options = settings.train
    if options.split == "random":
        return split_at_random(
            samples,
            usable,
            validation_share=options.validation_share,
            test_share=options.test_share,
            seed=options.seed,
        )
    return split_by_time(
        samples,
        usable,
        validation_share=options.validation_share,
        test_share=options.test_share,
        mature_after_hours=settings.label.mature_after_hours,
    )


def split_by_time(
    samples: pa.Table,
    labelled: np.ndarray,
    *,
    validation_share: float,
    test_share: float,
    mature_after_hours: float,
) -> Split:
    """Splits labelled samples by time, with gaps; see the module's docstring.

    Args:
        samples: with post_id, created_at, first_look_at and label_observed_at, in any order.
        labelled: which rows (n, bool) have a label.

    Raises:
        InputError: a part would be empty.
    """
    rows = _in_time_order(samples, labelled)
    created = microseconds(samples["created_at"])
    known = label_known_at(samples, timedelta(hours=mature_after_hours))
    n = len(rows)
    test_from = _back_to_first_of_instant(created[rows], n - max(1, round(n * test_share)))
    validation_from = _back_to_first_of_instant(
        created[rows], test_from - max(1, round(n * validation_share))
    )
    train, validation, test = (
        rows[: max(0, validation_from)],
        rows[max(0, validation_from) : max(0, test_from)],
        rows[max(0, test_from) :],
    )
    kept_validation = validation
    if len(test):
        kept_validation = validation[known[validation] <= created[test[0]]]
    kept_train = train
    if len(kept_validation):
        kept_train = train[known[train] <= created[kept_validation[0]]]
    gap = np.setdiff1d(rows, np.concatenate([kept_train, kept_validation, test]))
    split = Split(kept_train, kept_validation, test, gap, "time", mature_after_hours)
    _refuse_empty(split, n)
    return split


def split_at_random(
    samples: pa.Table,
    labelled: np.ndarray,
    *,
    validation_share: float,
    test_share: float,
    seed: int,
) -> Split:
    """Splits labelled samples at random. It leaks: training posts are as new as test posts.

    Raises:
        InputError: a part would be empty.
    """
    rows = _in_time_order(samples, labelled)
    n = len(rows)
    shuffled = np.random.default_rng(seed).permutation(n)
    tests, validations = max(1, round(n * test_share)), max(1, round(n * validation_share))
    parts = np.split(shuffled, [n - tests - validations, n - tests])
    train, validation, test = (rows[np.sort(part)] for part in parts)
    split = Split(train, validation, test, rows[:0], "random", 0.0)
    _refuse_empty(split, n)
    return split


def seen_authors(split: Split, samples: pa.Table) -> np.ndarray:
    """Which test posts (bool) are by an author of a training or validation post."""
    authors = np.array(samples["author_id"].to_pylist(), dtype=object)
    before = set(authors[np.concatenate([split.train, split.validation])]) - {None}
    return np.array([author in before for author in authors[split.test]], dtype=bool)


def _in_time_order(samples: pa.Table, labelled: np.ndarray) -> np.ndarray:
    ids = np.array(samples["post_id"].to_pylist(), dtype=object)
    order = np.lexsort((ids, microseconds(samples["created_at"])))
    return np.asarray(order[labelled[order]])


def _back_to_first_of_instant(created: np.ndarray, at: int) -> int:
    if at <= 0 or at >= len(created):
        return at
    return int(np.searchsorted(created, created[at], side="left"))


def _refuse_empty(split: Split, n: int) -> None:
    empty = [name for name in ("train", "validation", "test") if not len(getattr(split, name))]
    if empty:
        raise InputError(
            f"Splitting {n:,} labelled posts left no post for {' and '.join(empty)}: a part needs "
            f"posts, and {split.gap_hours:g} hours lie between parts; collect over a longer time."
        )
