"""Splits by time never let a model learn from what was not known yet."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.learning.evaluation.evaluate import splits_of
from mmrl.learning.splits import (
    Split,
    earlier_splits,
    seen_authors,
    split_at_random,
    split_by_time,
)
from mmrl.samples.features import microseconds
from mmrl.samples.known_at import label_known_at

START = datetime(2026, 1, 1, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")


def table(
    hours: list[float], looked_after: list[float], first_looked_after: list[float] | None = None
) -> pa.Table:
    """Posts by when they went up, and their ages at the label and the first observation (1 h)."""
    created = [START + timedelta(hours=h) for h in hours]
    first = [1.0] * len(hours) if first_looked_after is None else first_looked_after
    return pa.table(
        {
            "post_id": [f"p{i}" for i in range(len(hours))],
            "author_id": pa.array([None if i % 5 == 0 else f"a{i % 7}" for i in range(len(hours))]),
            "created_at": pa.array(created, TIME),
            "first_look_at": pa.array(
                [at + timedelta(hours=h) for at, h in zip(created, first, strict=True)], TIME
            ),
            "label_observed_at": pa.array(
                [at + timedelta(hours=h) for at, h in zip(created, looked_after, strict=True)], TIME
            ),
        }
    )


def split_all(samples: pa.Table) -> Split:
    """By time, of posts that are all labelled."""
    labelled = np.ones(samples.num_rows, bool)
    return split_by_time(
        samples, labelled, validation_share=0.1, test_share=0.2, mature_after_hours=36
    )


posts = st.lists(
    st.tuples(st.floats(0, 2000), st.floats(36, 90), st.booleans()), min_size=30, max_size=150
)


@settings(max_examples=60)
@given(posts)
def test_every_label_learned_from_was_known_before_the_later_parts_began(
    drawn: list[tuple[float, float, bool]],
) -> None:
    samples = table([p[0] for p in drawn], [p[1] for p in drawn])
    labelled = np.array([p[2] for p in drawn])
    try:
        split = split_by_time(
            samples, labelled, validation_share=0.2, test_share=0.2, mature_after_hours=36
        )
    except InputError:
        return
    created = np.array([p[0] for p in drawn])
    known = created + np.array([p[1] for p in drawn])
    slack = 1e-6  # times are kept to the microsecond
    assert known[split.train].max() <= created[split.validation].min() + slack
    assert known[split.validation].max() <= created[split.test].min() + slack
    assert (created[split.train] + 36).max() <= created[split.validation].min() + slack
    assert (known[split.between] <= created[split.test].min() + slack).all()
    assert (created[split.between] <= created[split.validation].min()).all()
    parts = np.concatenate([split.learned, split.test, split.gap])
    assert sorted(parts) == sorted(np.flatnonzero(labelled))


@settings(max_examples=60)
@given(posts, st.integers(1, 6))
def test_each_earlier_block_of_test_posts_knows_only_what_was_known_before_it(
    drawn: list[tuple[float, float, bool]], most: int
) -> None:
    samples = table([p[0] for p in drawn], [p[1] for p in drawn])
    labelled = np.array([p[2] for p in drawn])
    chosen = Settings(train={"test_blocks": most})
    try:
        newest = split_by_time(
            samples, labelled, validation_share=0.1, test_share=0.2, mature_after_hours=36
        )
    except InputError:
        return
    target = np.where(labelled, np.arange(len(labelled)), np.nan)
    splits = [*earlier_splits(samples, target, newest, chosen), newest]
    assert len(splits) <= most
    created = microseconds(samples["created_at"])
    known = label_known_at(samples, timedelta(hours=36))
    for split in splits:
        assert labelled[np.concatenate([split.learned, split.test])].all()
        assert (known[split.learned] <= created[split.test[0]]).all()
        assert len(split.learned) >= 0.4 * len(newest.learned)
        assert split is newest or len(split.train) >= max(30, 0.4 * len(newest.train))
    for one, other in pairwise(splits):
        assert created[one.test[-1]] < created[other.test[0]]
        between = labelled & (created > created[one.test[-1]]) & (created < created[other.test[0]])
        assert not between.any()


def test_few_posts_have_earlier_blocks_until_300_are_judged_and_many_have_none() -> None:
    for posts, blocks in ((200, 3), (600, 3), (1_000, 2), (1_500, 1), (3_000, 1)):
        samples = table([12.0 * number for number in range(posts)], [36.0] * posts)
        scores = np.arange(float(posts))
        newest = split_all(samples)
        splits = [*earlier_splits(samples, scores, newest, Settings()), newest]
        assert len(splits) == blocks, posts
        assert all(len(split.test) == posts // 5 for split in splits)


def test_no_earlier_block_is_learned_from_posts_that_are_all_alike_or_a_handful() -> None:
    samples = table([12.0 * number for number in range(200)], [36.0] * 200)
    scores, newest = np.arange(200.0), split_all(samples)
    assert len(earlier_splits(samples, scores, newest, Settings())) == 2
    assert earlier_splits(samples, scores, newest, Settings(train={"test_blocks": 1})) == []
    assert earlier_splits(samples, np.where(scores < 120, 0.0, scores), newest, Settings()) == []
    # 200 posts in five days: hardly a label is known before an earlier block's validation posts
    dense = table([0.6 * number for number in range(200)], [36.0] * 200)
    assert earlier_splits(dense, scores, split_all(dense), Settings()) == []


def test_a_set_of_many_posts_has_one_block_however_few_its_test_posts() -> None:
    samples = table([12.0 * number for number in range(2_000)], [36.0] * 2_000)
    every = np.ones(2_000, bool)
    newest = split_by_time(
        samples, every, validation_share=0.1, test_share=0.05, mature_after_hours=36
    )
    assert earlier_splits(samples, np.arange(2_000.0), newest, Settings()) == []


def test_an_imported_label_counts_as_known_when_it_was_settled() -> None:
    n = 200
    years_later = [9 * 365 * 24.0] * n
    split = split_all(table([float(6 * i) for i in range(n)], years_later, years_later))
    assert len(split.test) == 40
    assert len(split.between) == len(split.gap) == 5  # of 36 hours, before validation and test


def test_a_watched_posts_label_counts_from_its_label_observation_however_late() -> None:
    hours = [float(6 * i) for i in range(200)]
    late = {10, 150}  # one of the training posts' time, one of the validation posts'
    looked_after = [1000.0 if i in late else 36.0 for i in range(200)]
    split = split_all(table(hours, looked_after))
    assert hours[10] + 1000 > hours[split.validation[0]]
    assert late <= set(split.gap.tolist())
    assert set(split.between.tolist()) == set(range(135, 140))  # the 36 hours before validation


def test_posts_so_dense_that_the_gap_takes_them_leave_validation_posts_all_the_same() -> None:
    hours = [0.1 * i for i in range(1_000)]  # a hundred hours, of which two gaps are 72
    split = split_all(table(hours, [36.0] * 1_000))
    assert len(split.validation) == 50
    assert 36 + hours[split.validation[-1]] == pytest.approx(hours[split.test[0]], abs=0.1)
    assert 36 + hours[split.train[-1]] == pytest.approx(hours[split.validation[0]], abs=0.1)


def test_posts_of_one_instant_stay_together() -> None:
    hours = [float(i // 10) * 100 for i in range(100)]
    split = split_by_time(
        table(hours, [36.0] * 100),
        np.ones(100, bool),
        validation_share=0.13,
        test_share=0.17,
        mature_after_hours=36,
    )
    for part in (split.validation, split.test):
        assert len(part) % 10 == 0


def test_a_random_split_says_that_it_leaks() -> None:
    samples = table([float(i) for i in range(100)], [36.0] * 100)
    samples = samples.append_column("subreddit", pa.array(["pics", "Pics"] * 50))
    split = split_at_random(
        samples, np.ones(100, bool), validation_share=0.1, test_share=0.2, seed=0
    )
    assert split.leaking
    told = splits_of([split], samples, seen_authors(split, samples), 0, 0)
    assert told.leaking
    assert told.learned_of == {"pics": told.train.posts + told.validation.posts}
    assert len(np.unique(np.concatenate([split.train, split.validation, split.test]))) == 100


def test_posts_of_too_short_a_time_are_refused_with_a_reason() -> None:
    with pytest.raises(InputError, match="longer time"):
        split_by_time(
            table([0.01 * i for i in range(100)], [36.0] * 100),
            np.ones(100, bool),
            validation_share=0.1,
            test_share=0.2,
            mature_after_hours=36,
        )


def test_an_author_counts_as_seen_only_with_an_earlier_post() -> None:
    samples = table([float(50 * i) for i in range(40)], [36.0] * 40)
    split = split_by_time(
        samples, np.ones(40, bool), validation_share=0.2, test_share=0.2, mature_after_hours=36
    )
    authors = samples["author_id"].to_pylist()
    earlier = {authors[i] for i in np.concatenate([split.train, split.validation])} - {None}
    assert list(seen_authors(split, samples)) == [authors[i] in earlier for i in split.test]


def test_an_author_whose_earlier_posts_were_thinned_out_counts_as_seen() -> None:
    samples = table([float(50 * i) for i in range(40)], [36.0] * 40)
    names = [None if i % 3 == 0 else f"new{i % 2}" if i > 31 else "old" for i in range(40)]
    at = samples.schema.get_field_index("author_id")
    samples = samples.set_column(at, "author_id", pa.array(names))
    split = split_by_time(
        samples, np.ones(40, bool), validation_share=0.2, test_share=0.2, mature_after_hours=36
    )
    seen = seen_authors(split, samples, ["new1", None])
    assert list(seen) == [names[i] in ("old", "new1") for i in split.test]
    assert set(seen) == {True, False}
