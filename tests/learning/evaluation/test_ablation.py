"""Groups of inputs that ablation leaves out together."""

from dataclasses import replace

import numpy as np
import pytest

from mmrl.config import Settings
from mmrl.learning.evaluation.ablation import Group, _reading, ablate, possible
from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.statistics import Predicted
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
def test_what_the_scores_come_from_is_lost_where_it_is_left_out() -> None:
    samples = make_samples(400, measured=False)
    split = Split(*np.split(np.arange(400), [240, 300]), np.array([], int), "random", 0.0)
    task = prepare(samples, split, Settings(), ENCODERS)[0]
    scores = [part.inputs.values["title"][:, 0] for part in (task.train, task.validation)]
    task = replace(
        task,
        train=replace(task.train, target=scores[0]),
        validation=replace(task.validation, target=scores[1]),
    )  # by the title's vector alone
    truth = replace(truth_of(task.test.samples), log_score=task.test.inputs.values["title"][:, 0])
    rows = ablate(task, truth, Predicted, resamples=50)
    assert [row.name for row in rows] == list(groups_of(task))
    lost = {row.name: row.losses["r2_log"].value for row in rows}
    assert lost["text"] == max(lost.values()) > 0.3
    assert abs(lost["image"]) < 0.2
