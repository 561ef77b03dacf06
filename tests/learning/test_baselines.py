"""Baselines: each learns what it is there to learn, from what was known in time."""

import numpy as np
import pyarrow as pa
import pytest

from mmrl.config import Settings
from mmrl.learning.baselines import recent_means, subreddit_median
from mmrl.learning.splits import Split
from mmrl.learning.task import Task, prepare
from tests.support.learning_samples import ENCODERS, make_samples


def task_of(columns: dict[str, np.ndarray]) -> Task:
    """400 posts whose columns are replaced; the last 100 are the test posts."""
    samples = make_samples(400)
    for name, values in columns.items():
        at = samples.schema.get_field_index(name)
        kind = samples.schema.field(at).type
        samples = samples.set_column(at, name, pa.array(values, from_pandas=True).cast(kind))
    train, validation, test = np.split(np.arange(400), [240, 300])
    split = Split(train, validation, test, np.array([], int), "time", 36.0)
    return prepare(samples, split, Settings(), ENCODERS)[0]


def test_recent_means_follow_a_level_and_an_author() -> None:
    rng = np.random.default_rng(0)
    level, lift = np.linspace(2, 6, 400), rng.normal(0, 1, 400)
    level[::10] = np.nan
    truth = np.where(np.isnan(level), 4.0, level) + lift
    columns = {
        "subreddit_90_days_mean": level,
        "author_mean_lift": lift,
        "log_author_posts": np.full(400, np.log1p(1_000)),
        "log_score": truth,
    }
    task = task_of(columns)
    assert np.abs(recent_means(task) - task.test.target).max() < 0.05


def test_recent_means_of_new_authors_in_new_subreddits_are_the_mean_of_such_posts() -> None:
    unknown = np.full(400, np.nan)
    names = ("subreddit_90_days_mean", "author_mean_lift", "log_author_posts")
    task = task_of(dict.fromkeys(names, unknown))
    assert recent_means(task) == pytest.approx(np.full(100, task.both.target.mean()))


def test_the_median_is_the_subreddits_own() -> None:
    task = task_of({})
    numbers, target = task.both.inputs.subreddit, task.both.target
    expected = [np.median(target[numbers == number]) for number in task.test.inputs.subreddit]
    assert subreddit_median(task).tolist() == expected
