"""The moment a label was known: one rule for history and for what a model learns from."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog.columns import TIME
from mmrl.errors import InputError
from mmrl.learning.splits import Split, split_by_time
from mmrl.samples.chosen_observations import choose_observations
from mmrl.samples.features import microseconds
from mmrl.samples.history import History, Matured
from mmrl.samples.known_at import NEVER, label_known_at
from tests.support.samples_catalog import at

MATURE = timedelta(hours=36)


@dataclass(frozen=True)
class Post:
    """A post that went up so many hours after the start, and its ages at its observations."""

    hours: int
    observations: list[int]


posts = st.builds(
    Post,
    st.integers(0, 2000),
    st.one_of(
        st.lists(st.integers(0, 600), min_size=1, max_size=4),  # watched, or found late
        st.integers(36, 90_000).map(lambda age: [age]),  # imported
        st.tuples(st.integers(0, 35), st.integers(36, 3000)).map(
            list
        ),  # watched, one observation late
    ),
)
many_posts = st.lists(posts, min_size=30, max_size=60)


def samples_of(drawn: list[Post]) -> pa.Table:
    """Posts with the first observation and the label observation that the samples would have."""
    ids = [f"p{n}" for n in range(len(drawn))]
    created = pa.array([at(p.hours) for p in drawn], TIME)
    observations = [
        {"post_id": i, "observed_at": at(p.hours + age), "score": 5, "settled": True}
        for i, p in zip(ids, drawn, strict=True)
        for age in p.observations
    ]
    schema = pa.schema(
        [
            *(("post_id", pa.string()), ("observed_at", TIME), ("score", pa.int64())),
            *(("settled", pa.bool_()), ("removed_by", pa.string())),
        ]
    )
    observations = pa.Table.from_pylist(observations, schema)
    chosen = choose_observations(observations, pa.array(ids), created, MATURE)
    observed = observations["observed_at"].combine_chunks()
    label = pa.array(chosen.label, mask=chosen.label < 0)
    return pa.table(
        {
            "post_id": ids,
            "subreddit": ids,
            "author_id": pa.nulls(len(ids), pa.string()),
            "created_at": created,
            "first_look_at": observed.take(pa.array(chosen.first)),
            "label_observed_at": observed.take(label),
            "score": pa.array([5] * len(ids), mask=chosen.label < 0),
        }
    )


def split(samples: pa.Table) -> Split | None:
    """None where a part would be empty."""
    labelled = pc.is_valid(samples["score"]).to_numpy()
    try:
        return split_by_time(
            samples, labelled, validation_share=0.2, test_share=0.2, mature_after_hours=36
        )
    except InputError:
        return None


def hours_known(post: Post) -> float | None:
    """The rule in plain words, in hours after the start."""
    mature = [age for age in post.observations if age >= 36]
    if not mature:
        return None
    return post.hours + (36 if min(mature) == min(post.observations) else min(mature))


@settings(max_examples=100)
@given(many_posts)
def test_no_label_learned_from_was_observed_after_the_later_part_began_unless_first_seen_by_it(
    drawn: list[Post],
) -> None:
    samples = samples_of(drawn)
    parts = split(samples)
    if parts is None:
        return
    created, first, observed = (
        samples[name].to_pylist() for name in ("created_at", "first_look_at", "label_observed_at")
    )
    for part, later in ((parts.train, parts.validation), (parts.validation, parts.test)):
        began = created[later[0]]
        for row in part:
            if first[row] == observed[row]:
                assert created[row] + MATURE <= began
            else:
                assert observed[row] <= began


@settings(max_examples=100)
@given(posts, st.integers(0, 3000), st.integers(40, 60))
def test_history_and_splits_agree_on_when_a_posts_label_was_known(
    post: Post, began: int, others: int
) -> None:
    # Imported posts of long before, the post, and validation and test posts from `began` on.
    before = [Post(-10_000 + n, [50_000]) for n in range(others)]
    later = [Post(began + 1000 * n, [50_000]) for n in range(20)]
    samples = samples_of([*before, post, *later])
    if post.hours >= began or hours_known(post) is None:
        return
    parts = split_by_time(
        samples,
        np.ones(samples.num_rows, bool),
        validation_share=10 / samples.num_rows,
        test_share=10 / samples.num_rows,
        mature_after_hours=36,
    )
    assert parts.validation[0] == others + 1
    history = History(Matured.of(samples, MATURE))
    name = samples["subreddit"].slice(others, 1)
    moment = microseconds(pa.array([at(began)], TIME))
    known = history.features(name, pa.chunked_array([[None]], pa.string()), moment)
    assert (known["log_subreddit_posts"][0] > 0) == (others in parts.train)


@settings(max_examples=100)
@given(st.lists(posts, min_size=1, max_size=20))
def test_a_label_is_known_from_its_observation_or_where_that_was_the_first_from_maturity(
    drawn: list[Post],
) -> None:
    found = label_known_at(samples_of(drawn), MATURE)
    zero = microseconds(pa.array([at(0)], TIME))[0]
    expected = [hours_known(post) for post in drawn]
    assert found.tolist() == [
        NEVER if hours is None else zero + int(hours * 3_600_000_000) for hours in expected
    ]


def test_a_label_without_a_first_look_counts_from_its_own_look() -> None:
    samples = samples_of([Post(0, [50])])
    nobody = samples.set_column(4, "first_look_at", pa.nulls(1, TIME))
    assert label_known_at(nobody, MATURE) == microseconds(samples["label_observed_at"])


def test_a_maturity_age_of_part_of_an_hour_is_kept_to_the_microsecond() -> None:
    age = timedelta(hours=36, microseconds=1)
    created = microseconds(pa.array([at(0)], TIME))
    assert label_known_at(samples_of([Post(0, [50])]), age) - created == pytest.approx(
        age / timedelta(microseconds=1), abs=0
    )
