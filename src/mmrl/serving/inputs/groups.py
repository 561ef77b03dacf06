"""Groups of the model's inputs by what they speak of, and posts mixed of two by such groups."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmrl.catalog.columns import COLOURS, SPACES
from mmrl.learning.grid import Grid
from mmrl.learning.inputs import NUMERIC, TEXTS, FeatureSpec, Inputs
from mmrl.samples.extras import EXTRA, text_column
from mmrl.samples.schema import SUBREDDIT_FEATURES, TIME_FEATURES
from mmrl.samples.statistics import STATISTICS
from mmrl.sources.extras import IMAGE_TEXT

# By name, what people are told; in this order.
GROUPS = {
    "image": "image",
    "title": "title",
    "together": "image and title together",
    "community": "community",
    "time": "hour and day",
    "author": "author",
    "rest": "marks, flair and the rest",
}
_OF_TIME = (*TIME_FEATURES, "hour_sin", "hour_cos", "weekday_sin", "weekday_cos")
_OF_COMMUNITY = (*SUBREDDIT_FEATURES, "log_subscribers")


@dataclass(frozen=True)
class Grouping:
    """Which group each input belongs to.

    Attributes:
        names: the groups that the model has, in the order of `GROUPS`.
        columns: by modality, (width,) numbers of groups, places in `names`.
    """

    names: tuple[str, ...]
    columns: Mapping[str, np.ndarray]

    def mix(self, draft: Inputs, background: Inputs, sets: np.ndarray) -> Inputs:
        """Posts with the draft's inputs in a set of groups and a background post's elsewhere.

        Args:
            draft: one post.
            background: m posts.
            sets: (s, groups) bool: of which groups the draft's inputs are taken.

        Returns:
            (s * m): of the first set with each background post, then of the second, and so on.
        """
        posts = len(background)
        values, present = {}, {}
        for name, of_column in self.columns.items():
            own = np.repeat(sets[:, of_column], posts, axis=0)
            others = np.tile(background.values[name], (len(sets), 1))
            values[name] = np.where(own, draft.values[name], others)
            # A modality is there where one of its groups is, in the post that the group is from.
            there = np.zeros(len(own), np.float32)
            for group in np.unique(of_column):
                taken = np.repeat(sets[:, group], posts)
                of_others = np.tile(background.present[name], len(sets))
                there = np.maximum(there, np.where(taken, draft.present[name], of_others))
            present[name] = there
        community = self.names.index("community")
        here = np.repeat(sets[:, community], posts)
        subreddit = np.where(here, draft.subreddit, np.tile(background.subreddit, len(sets)))
        grid = None
        if all(self._is_sure(name, draft, background) for name in self.columns):
            whose = np.tile(np.arange(posts) + 1, len(sets))  # 0 is the draft
            numbers = tuple(np.where(np.repeat(own, posts), 0, whose) for own in sets.T)
            grid = Grid(numbers, self.columns, community)
        return Inputs(values, present, subreddit.astype(np.int32), grid)

    def _is_sure(self, name: str, draft: Inputs, background: Inputs) -> bool:
        """Whether a group alone tells whether its modality is there."""
        alone = len(np.unique(self.columns[name])) == 1
        return alone or bool(draft.present[name].all() and background.present[name].all())


def grouping_of(spec: FeatureSpec, inputs: Inputs, visual_text: str) -> Grouping:
    """The groups of what a model reads.

    Args:
        inputs: some, for their modalities and widths.
        visual_text: the text that visual vectors hold beside the image: title or caption.
    """
    of_space = {**dict.fromkeys(SPACES, "image"), "title": "title"}
    if visual_text == "title":
        of_space["visual"] = "together"
    named = {
        name: [of_space[name]] * values.shape[1]
        if name in of_space
        else _groups(spec, name, values.shape[1])
        for name, values in inputs.values.items()
    }
    there = {"community", *(group for groups in named.values() for group in groups)}
    names = tuple(name for name in GROUPS if name in there)
    return Grouping(
        names,
        {
            name: np.array([names.index(group) for group in groups], np.int64)
            for name, groups in named.items()
        },
    )


def columns_of_places(spec: FeatureSpec) -> np.ndarray:
    """Which of the post's numbers follow from its subreddit and its hour alone, (width,) bool."""
    names = [name for name in NUMERIC["post"] if name in spec.scales]
    of_place = [_group_of(name) in ("community", "time") for name in names]
    return np.array(of_place * 2, bool)  # the numbers, then a column where each is missing


def _groups(spec: FeatureSpec, modality: str, width: int) -> list[str]:
    """The group of each column of a modality that is not of a space."""
    if modality in (STATISTICS, COLOURS):
        return ["image"] * width
    if modality == "author":
        return ["author"] * width
    groups = ["rest"] * width
    if modality == "post":
        names = [name for name in NUMERIC["post"] if name in spec.scales]
        for place, name in enumerate(names):  # the numbers, then a column where each is missing
            for column in range(place, width, len(names)):
                groups[column] = _group_of(name)
    of_text = {
        EXTRA: spec.extras.columns().get(IMAGE_TEXT, ()),
        TEXTS: spec.text_blocks().get(text_column(IMAGE_TEXT), ()),
    }
    for column in of_text.get(modality, ()):
        groups[column] = "image"
    return groups


def _group_of(name: str) -> str:
    """The group of a number of the post."""
    if name in _OF_TIME:
        return "time"
    if name in _OF_COMMUNITY:
        return "community"
    words = name.split("_")
    return next((part for part in ("title", "image") if part in words), "rest")
