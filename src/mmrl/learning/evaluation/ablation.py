"""Ablation: what each group of inputs adds. Small networks are trained again without it,
and judged on the same test posts.

The drop is that of the network with everything minus that of the network without, same size, same
epochs and schedule; only what they may read differs. Three pairs of networks are trained, each
from first weights of its own; the drop is the mean of the three, and its interval holds the noise
of training as well as that of the test posts. Where two modalities hold the same thing (the visual
vector holds image and title), leaving out one of them costs little; so "picture" and "text" leave
out everything that speaks of either, with the numbers that do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmrl.catalog.columns import COLOURS
from mmrl.learning.evaluation.judge import Judged, difference, interval, judge
from mmrl.learning.evaluation.metrics import METRICS
from mmrl.learning.evaluation.record import AblationRow, Measure
from mmrl.learning.evaluation.statistics import Predicted, Truth
from mmrl.learning.inputs import TEXTS
from mmrl.learning.learners.fitting import NetworkTrainer, Schedule
from mmrl.learning.learners.network import NetworkShape, Reading
from mmrl.learning.task import Task
from mmrl.samples.extras import EXTRA
from mmrl.samples.statistics import STATISTICS

_EPOCHS = 25  # at most; on 2,000 simulated posts 50 gave drops within the intervals of these
_MEMBERS = 3  # networks a team; each learns from the same posts, and all of them train together


@dataclass(frozen=True)
class Group:
    """Inputs left out together: modalities, and the post's numbers that speak of one part."""

    name: str
    label: str
    modalities: tuple[str, ...]
    numbers: str | None = None


GROUPS = (
    Group("title", "Title vector", ("title",)),
    Group("caption", "Caption vector", ("caption",)),
    Group("image", "Image vector, statistics and colours", ("image", STATISTICS, COLOURS)),
    Group("visual", "Visual vector", ("visual",)),
    Group("author", "Author", ("author",)),
    Group("post", "Subreddit and post metadata", ("post",)),
    Group("extra", "Flair, tags and brought columns", (EXTRA, TEXTS)),
    Group(
        "picture",
        "All that speaks of the image",
        ("image", STATISTICS, COLOURS, "caption", "visual"),
        "image",
    ),
    Group("text", "All that speaks of the title", ("title", "visual"), "title"),
)


def possible(task: Task) -> list[Group]:
    """The groups of which some training post has something, with what there is of them."""
    there = {name for name, present in task.train.inputs.present.items() if present.any()}
    held = [(group, tuple(name for name in group.modalities if name in there)) for group in GROUPS]
    return [replace(group, modalities=names) for group, names in held if names]


def ablate(
    task: Task,
    truth: Truth,
    as_predicted: Callable[[np.ndarray], Predicted],
    *,
    resamples: int,
) -> list[AblationRow]:
    """What is lost without each possible group.

    Args:
        as_predicted: turns target values into what is judged.
    """
    train = task.train.inputs
    groups = possible(task)
    if not groups:
        return []
    teams = np.repeat(np.arange(len(groups) + 1), _MEMBERS)  # team 0 reads everything
    reading = _reading(task, groups, teams)
    trainer = NetworkTrainer(
        train.widths,
        len(task.spec.subreddits),
        task.seed,
        shape=NetworkShape.of(len(train), members=len(teams)),
        reading=reading,
        teams=teams,
    )
    network = trainer.fit(
        train,
        task.train.target,
        (task.validation.inputs, task.validation.target),
        schedule=Schedule.of(len(train), _EPOCHS),
    )
    predicted = network.predict_members(task.test.inputs)[:, :, 0]
    names = [metric.name for metric in METRICS.values() if metric.ablated]
    judged = [
        [
            judge(truth, as_predicted(predicted[:, member]), resamples, task.seed, names)
            for member in np.flatnonzero(teams == number)
        ]
        for number in range(len(groups) + 1)
    ]
    return [
        lost_without(group, judged[0], without, task.seed)
        for group, without in zip(groups, judged[1:], strict=True)
    ]


def lost_without(
    group: Group, whole: Sequence[Judged], without: Sequence[Judged], seed: int
) -> AblationRow:
    """What is lost without a group, by each metric that ablation reports.

    Args:
        whole, without: networks with everything and without the group; as many, trained alike.
    """
    losses = {
        metric.name: mean_difference(whole, without, metric.name, seed)
        for metric in METRICS.values()
        if metric.ablated
    }
    return AblationRow(group.name, group.label, list(group.modalities), losses)


def mean_difference(
    whole: Sequence[Judged], without: Sequence[Judged], name: str, seed: int
) -> Measure | None:
    """The mean of the pairs' differences. Each resample of the posts also resamples the pairs, so
    that the interval holds the noise of training."""
    pairs = list(zip(whole, without, strict=True))
    differences = [difference(one, other, name) for one, other in pairs]
    values = [measure.value for measure in differences if measure is not None]
    if len(values) < len(pairs):
        return None
    value = float(np.mean(values))
    if any(name not in one.resampled or name not in other.resampled for one, other in pairs):
        return Measure(value, value, value)
    resampled = np.stack([one.resampled[name] - other.resampled[name] for one, other in pairs])
    drawn = np.random.default_rng(seed).integers(0, len(pairs), resampled.shape)
    return interval(value, np.take_along_axis(resampled, drawn, axis=0).mean(axis=0))


def _reading(task: Task, groups: list[Group], teams: np.ndarray) -> Reading:
    """What each member may read: team 0 everything, team n all but the nth group."""
    inputs = task.train.inputs
    reading = Reading.everything(inputs.widths, len(teams))
    for number, group in enumerate(groups, start=1):
        members = teams == number
        for name in group.modalities:
            reading.modalities[name][members] = 0.0
            reading.columns[name][members] = 0.0
        if "post" in group.modalities:
            reading.subreddit[members] = 0.0
        if group.numbers:
            columns = task.spec.post_columns(group.numbers)
            reading.columns["post"][np.ix_(members, columns)] = 0.0
    return reading
