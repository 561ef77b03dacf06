"""A split's parts are read alike, and held once."""

import numpy as np
import pyarrow as pa

from mmrl.config import Settings
from mmrl.learning.splits import Split
from mmrl.learning.task import Task, prepare
from tests.support.learning_samples import ENCODERS, make_samples

SPLIT = Split(*np.split(np.arange(300), [180, 220]), np.array([], int), "time", 36.0)


def task_of(samples: pa.Table) -> Task:
    return prepare(samples, SPLIT, Settings(), ENCODERS)[0]


def with_column(samples: pa.Table, name: str, values: list[object]) -> pa.Table:
    at = samples.schema.get_field_index(name)
    field = samples.schema.field(at)
    return samples.set_column(at, field, pa.array(values, field.type))


def test_all_parts_share_the_same_arrays_and_samples_hold_no_vectors() -> None:
    task = task_of(make_samples(300))
    for name, values in task.both.inputs.values.items():
        assert np.shares_memory(values, task.train.inputs.values[name])
        assert np.shares_memory(values, task.validation.inputs.values[name])
        assert values.base is task.test.inputs.values[name].base
    assert len(task.both.target) == 220
    assert "image" not in task.both.samples.schema.names
    assert task.test_vectors.dims["image"] == 40


def test_the_second_fit_learns_what_lies_between_and_the_first_chooses_without_it() -> None:
    train, between, validation, test = np.split(np.arange(300), [150, 180, 220])
    split = Split(train, validation, test, np.array([], int), "time", 36.0, between)
    samples = make_samples(300)
    task = prepare(samples, split, Settings(), ENCODERS)[0]
    names = np.array(samples["post_id"])
    for part, rows in (
        (task.train, train),
        (task.validation, validation),
        (task.both, np.arange(220)),
        (task.test, test),
    ):
        assert part.samples["post_id"].to_pylist() == names[rows].tolist()
        assert len(part.target) == len(part.inputs) == len(rows)


def test_numbers_are_read_as_the_training_posts_say_whatever_comes_later() -> None:
    samples = make_samples(300)
    later = [value if row < 180 else 1000.0 for row, value in enumerate(samples["over_18"])]
    numbers = [value if isinstance(value, float) else value.as_py() for value in later]
    images = samples["image"].to_pylist()
    images[180:] = [None if image is None else [9.0] * 40 for image in images[180:]]
    changed = with_column(with_column(samples, "over_18", numbers), "image", images)
    one, other = task_of(samples), task_of(changed)
    assert one.spec.scales == other.spec.scales
    for name, values in one.train.inputs.values.items():
        np.testing.assert_array_equal(values, other.train.inputs.values[name])


def test_a_community_that_is_new_in_the_validation_posts_is_known_by_name() -> None:
    samples = make_samples(300)
    names = ["newcomer" if row >= 180 and row % 2 else "pics" for row in range(300)]
    task = task_of(with_column(samples, "subreddit", names))
    assert task.spec.subreddits == ["newcomer", "pics"]
    assert set(task.train.inputs.subreddit) == {2}
    assert set(task.test.inputs.subreddit) == {1, 2}
    assert task.spec.posts == 220
