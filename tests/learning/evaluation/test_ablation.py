"""Groups of inputs that ablation leaves out together."""

import numpy as np
import pyarrow as pa
import pytest

from mmrl.config import Settings
from mmrl.learning.evaluation.ablation import Group, _reading, ablate, possible
from mmrl.learning.evaluation.evaluate import predicted_of, truth_of
from mmrl.learning.splits import Split
from mmrl.learning.task import Task, prepare
from tests.support.learning_samples import ENCODERS, make_samples


def task_of(*, measured: bool) -> Task:
    samples = make_samples(120, measured=measured)
    train, validation, test = np.split(np.arange(120), [60, 90])
    split = Split(train, validation, test, np.array([], int), "random", 0.0)
    return prepare(samples, split, Settings(), ENCODERS)[0]


def groups_of(task: Task) -> dict[str, Group]:
    return {group.name: group for group in possible(task)}


def test_an_images_statistics_are_left_out_together_with_its_vector() -> None:
    task = task_of(measured=True)
    groups = groups_of(task)
    assert groups["image"].modalities == ("image", "image_statistics", "colours")
    assert groups["picture"].modalities == (
        "image",
        "image_statistics",
        "colours",
        "caption",
        "visual",
    )
    reading = _reading(task, [groups["image"]], np.array([0, 1]))
    for name in ("image", "image_statistics", "colours"):
        assert reading.modalities[name].tolist() == [1, 0]
        assert (reading.columns[name][0] == 1).all()
        assert (reading.columns[name][1] == 0).all()
    assert reading.modalities["title"].tolist() == [1, 1]


def test_a_group_is_of_what_training_posts_have() -> None:
    groups = groups_of(task_of(measured=False))
    assert groups["image"].modalities == ("image",)
    assert groups["picture"].modalities == ("image", "caption", "visual")


@pytest.mark.slow
def test_ablation_reads_test_posts_as_its_network_learned_to_read() -> None:
    """A subreddit is known from the validation posts on, and captions are few: the encodings of
    the first and of the second fit differ in width and in numbers.
    """
    samples = make_samples(720, seed=2)
    names = samples["subreddit"].to_pylist()
    names[400:] = ["newcomer" if name == "aww" else name for name in names[400:]]
    names[:400] = ["pics" if name == "aww" else name for name in names[:400]]
    samples = samples.set_column(
        samples.schema.get_field_index("subreddit"), "subreddit", pa.array(names)
    )
    at = samples.schema.get_field_index("caption")
    captions = samples["caption"].to_pylist()
    captions = [vector if row % 12 == 0 else None for row, vector in enumerate(captions)]
    samples = samples.set_column(at, "caption", pa.array(captions, samples.schema.field(at).type))
    train, validation, test = np.split(np.arange(720), [400, 520])
    split = Split(train, validation, test, np.array([], int), "random", 0.0)
    task, _ = prepare(samples, split, Settings(threads=2), ENCODERS)
    assert len(task.spec.subreddits) < len(task.spec_of_both.subreddits)
    widths = [part.inputs.values["caption"].shape[1] for part in (task.train, task.both)]
    assert widths[0] < widths[1]
    rows = ablate(
        task,
        truth_of(task.test.samples),
        lambda values: predicted_of(values, task.test.samples, "log_score"),
        resamples=100,
    )
    lost = {row.name: row.losses["spearman"] for row in rows}
    assert lost["picture"] is not None
    assert lost["picture"].value > 0.05
