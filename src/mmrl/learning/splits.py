"""Splits: the posts a model learns from, is tuned on, and is judged on, by time.

Labelled posts are ordered by (created_at, post_id). The last `test_share` of them are the test
posts, the `validation_share` before them the validation posts, the rest the training posts. Posts
created at the same instant as the first post of the later part move into the later part. Then a
gap is cut: a post is left out of training when its label was not yet known when the first
validation post went up, and out of validation when it was not yet known when the first test post
went up. So every label learned from could have been had at the time of every later prediction.

Where posts are so dense that this leaves less than half of the validation posts, they are the
newest whose labels were known in time, half as many as the share says.

Posts in the gap before the validation posts are learned from by the second fit, which predicts test
posts alone, where their labels were known when the first of these went up.

Where the test posts are few, earlier blocks of as many are test posts, too, each of a split of its
own: all that its learners know is older than its test posts (evaluation on a rolling origin,
Tashman 2000, "Out-of-sample tests of forecasting accuracy").

When a label was known, `mmrl.samples.known_at` says: a watched post's from its label look, an
imported one's from when it matured.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Literal

import numpy as np
import pyarrow as pa

from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.samples.features import microseconds
from mmrl.samples.known_at import label_known_at

SplitKind = Literal["time", "random", "author", "subreddit", "column"]
_PARTS = ("train", "validation", "test")
_SMALL_SET = 2_000  # labelled posts, fewer of which may have several blocks of test posts
_ENOUGH_TESTS = 300  # test posts; a Spearman's 95% interval is then some 0.22 wide
_LEAST_OF_NEWEST = 0.4  # posts that an earlier block's learners know, of the newest one's
_LEAST_TRAINED = 30


@dataclass(frozen=True)
class Split:
    """Row numbers of the samples, each part in time's order.

    Attributes:
        gap: labelled posts that lie in a gap and are learned from by nobody.
        kind: "time"; all others leak the future: posts learned from are as new as the test posts.
        gap_hours: the maturity age, the shortest a gap can be; 0 for a random split.
        between: posts in the gap before the validation posts that the second fit learns from.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    gap: np.ndarray
    kind: SplitKind
    gap_hours: float
    between: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def learned(self) -> np.ndarray:
        """What the second fit learns from: training posts, those between, validation posts."""
        return np.concatenate([self.train, self.between, self.validation])

    @property
    def leaking(self) -> bool:
        """Whether training posts are younger than test posts."""
        return self.kind != "time"


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
    before, test = rows[: max(0, test_from)], rows[max(0, test_from) :]
    in_time = before[known[before] <= created[test[0]]] if n else before
    validation = _validation_of(created, before, in_time, max(1, round(n * validation_share)))
    train = between = before[:0]
    if len(validation):
        earlier = in_time[created[in_time] < created[validation[0]]]
        had = known[earlier] <= created[validation[0]]
        train, between = earlier[had], earlier[~had]
    gap = np.setdiff1d(rows, np.concatenate([train, between, validation, test]))
    split = Split(train, validation, test, gap, "time", mature_after_hours, between)
    _refuse_empty(split, n)
    return split


def earlier_splits(
    samples: pa.Table, target: np.ndarray, newest: Split, settings: Settings
) -> list[Split]:
    """Splits with earlier blocks of test posts, the oldest first.

    None where 2,000 posts have a label, or the newest block has 300 posts; none whose learners
    would know less than 40% as many posts as the newest one's, or could tell none from another.

    Args:
        target: (n,) what is learned of the samples, NaN where it is not known.
        newest: the split by time of these samples.
    """
    labelled = ~np.isnan(target)
    if labelled.sum() >= _SMALL_SET:
        return []
    options, created = settings.train, microseconds(samples["created_at"])
    earlier: list[Split] = []
    later, tests = newest, len(newest.test)
    while tests < _ENOUGH_TESTS and len(earlier) + 1 < options.test_blocks:
        older = labelled & (created < created[later.test[0]])
        share = len(newest.test) / max(1, int(older.sum()))
        try:
            later = split_by_time(
                samples,
                older,
                validation_share=options.validation_share,
                test_share=share,
                mature_after_hours=settings.label.mature_after_hours,
            )
        except InputError:  # too short a time for three parts and their gaps
            break
        if not _tells_enough(later, newest, target):
            break
        earlier.insert(0, later)
        tests += len(later.test)
    return earlier


def _tells_enough(split: Split, newest: Split, target: np.ndarray) -> bool:
    """Whether a block's learners know enough for their errors to speak of the newest one's."""
    pairs = ((split.train, newest.train), (split.learned, newest.learned))
    return (
        len(split.train) >= _LEAST_TRAINED
        and all(len(one) >= _LEAST_OF_NEWEST * len(other) for one, other in pairs)
        and bool(np.ptp(target[split.train]) > 0)
    )


def _validation_of(
    created: np.ndarray, before: np.ndarray, in_time: np.ndarray, share: int
) -> np.ndarray:
    """Of the last `share` posts before the test posts, those whose labels were known in time.

    Args:
        before: all posts before the test posts.
        in_time: of these, those whose labels were known in time.

    Returns:
        half as many of `in_time` where fewer are left.
    """
    start = _back_to_first_of_instant(created[before], len(before) - share)
    validation = in_time[np.isin(in_time, before[max(0, start) :])]
    least = (share + 1) // 2
    if len(validation) >= least:
        return validation
    start = _back_to_first_of_instant(created[in_time], len(in_time) - least)
    return in_time[max(0, start) :]


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


def split_by_group(
    samples: pa.Table,
    labelled: np.ndarray,
    column: Literal["author_id", "subreddit"],
    *,
    validation_share: float,
    test_share: float,
    seed: int,
) -> Split:
    """Splits labelled samples by author or subreddit: none is in two parts.

    Groups come in an order that the seed draws; test posts are those of the first ones, until they
    are `test_share` of all, validation posts those of the next ones. Posts of unknown authors are
    groups of their own. It leaks the future, as a random split does.

    Raises:
        InputError: a part would be empty.
    """
    rows = _in_time_order(samples, labelled)
    names, ids = samples[column].to_pylist(), samples["post_id"].to_pylist()
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(names[row] or f"post {ids[row]}", []).append(int(row))
    parts: dict[str, list[int]] = {part: [] for part in _PARTS}
    for name in sorted(groups, key=lambda name: _draw(name, seed)):
        part = "train"
        if len(parts["test"]) < test_share * len(rows):
            part = "test"
        elif len(parts["validation"]) < validation_share * len(rows):
            part = "validation"
        parts[part] += groups[name]
    train, validation, test = (np.array(parts[part], dtype=rows.dtype) for part in _PARTS)
    kind: SplitKind = "author" if column == "author_id" else "subreddit"
    split = Split(_of(rows, train), _of(rows, validation), _of(rows, test), rows[:0], kind, 0.0)
    _refuse_empty(split, len(rows))
    return split


def _of(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Those of the rows that are chosen, in time's order."""
    return np.asarray(rows[np.isin(rows, chosen)])


def split_by_column(samples: pa.Table, labelled: np.ndarray, values: Sequence[str | None]) -> Split:
    """Splits labelled samples as a column of one's own says: train, validation or test.

    Posts with another value, or none, are in no part.

    Args:
        values: of each sample.

    Raises:
        InputError: a part would be empty.
    """
    rows = _in_time_order(samples, labelled)
    named = np.array([(values[row] or "").strip().lower() for row in rows])
    train, validation, test = (rows[named == part] for part in _PARTS)
    split = Split(train, validation, test, rows[~np.isin(named, _PARTS)], "column", 0.0)
    _refuse_empty(split, len(rows))
    return split


def _draw(name: str, seed: int) -> str:
    """A place among others that a name and a seed always give."""
    return sha256(f"{seed}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()


def seen_authors(split: Split, samples: pa.Table, others: Iterable[str | None] = ()) -> np.ndarray:
    """Which test posts (bool) are by an author of a post that was learned from.

    Args:
        others: authors of posts of the same time that were left out to have fewer.
    """
    authors = np.array(samples["author_id"].to_pylist(), dtype=object)
    before = {*authors[split.learned], *others} - {None}
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
    empty = [name for name in _PARTS if not len(getattr(split, name))]
    if empty:
        raise InputError(
            f"Splitting {n:,} labelled posts left no post for {' and '.join(empty)}: a part needs "
            f"posts, and {split.gap_hours:g} hours lie between parts; collect over a longer time."
        )
