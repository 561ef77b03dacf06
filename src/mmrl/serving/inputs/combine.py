"""Drafts as columns: the choices that they are made of, and every combination of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
import pyarrow as pa

from mmrl.catalog.columns import TIME
from mmrl.serving.inputs.contents import ReadImage
from mmrl.serving.inputs.drafts import Drafts, subreddit_name
from mmrl.sources.extras import FLAIR

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What all posts of one `Drafts` have in common; extras by name, the flair among them."""

    author_id: str | None
    over_18: bool
    spoiler: bool
    extras: Mapping[str, str]


@dataclass(frozen=True)
class Combinations:
    """n drafts, made of choices; numbers are places in the choices' lists.

    Attributes:
        images: (drafts, number among their images, image) of each image given.
        titles: (drafts, number among their titles, title).
        subreddits: (drafts, number among theirs, name).
        facts: of each `Drafts`.
        image, title, subreddit: (n,) numbers; -1 without an image.
        hour: (n,) int64 microseconds since 1970.
        content: (n,) which image with which title, as a number from 0; of hours that were before
            what is known, also when, for an image may have been posted since.
        example: of each content, a draft that has it.
        place: (n,) which subreddit at which hour, as a number from 0.
        there: of each place, a draft that is at it.
    """

    images: Sequence[tuple[int, int, ReadImage]]
    titles: Sequence[tuple[int, int, str]]
    subreddits: Sequence[tuple[int, int, str]]
    facts: Sequence[Facts]
    image: np.ndarray
    title: np.ndarray
    subreddit: np.ndarray
    hour: np.ndarray
    content: np.ndarray
    example: np.ndarray
    place: np.ndarray
    there: np.ndarray

    @classmethod
    def of(
        cls,
        drafts: Sequence[Drafts],
        facts: Sequence[Facts],
        images: Sequence[Sequence[ReadImage]],
        as_of: datetime,
    ) -> "Combinations":
        """Every combination of each of the drafts.

        Args:
            images: those of each of the drafts.
            as_of: the hour of those without hours.
        """
        shown = _numbered(images)
        titles = _numbered([each.titles for each in drafts])
        subreddits = _numbered([list(map(subreddit_name, each.subreddits)) for each in drafts])
        image, title, subreddit, hour = _grid(drafts, images, as_of)
        # Sorted by what they are, so that the order in which choices are given changes nothing.
        ranks = (
            hour,
            _ranks([name.lower() for _, _, name in subreddits])[subreddit],
            _ranks([text for _, _, text in titles])[title],
            np.append(_ranks([read.facts.sha256 for _, _, read in shown]), -1)[image],
        )
        order = np.lexsort(ranks)
        image, title, subreddit, hour = (
            numbers[order] for numbers in (image, title, subreddit, hour)
        )
        moment = np.unique(hour, return_inverse=True)[1]
        at = subreddit * (moment.max() + 1) + moment
        pairs = (image + 1) * len(titles) + title
        if hour.min() < microseconds_of(as_of):
            pairs = pairs * (moment.max() + 1) + moment
        return cls(
            *(shown, titles, subreddits, facts),
            *(image, title, subreddit, hour),
            *_as_met(pairs),
            *_as_met(at),
        )

    def __len__(self) -> int:
        return len(self.hour)

    def facts_of(self, row: int) -> Facts:
        """What a draft has in common with others."""
        return self.facts[self.titles[self.title[row]][0]]

    def table(self, rows: np.ndarray) -> pa.Table:
        """Some of the drafts as `mmrl.samples.drafts` takes them, without extra features."""
        image, title = self.image[rows], self.title[rows]
        of_image = [read.facts for _, _, read in self.images]
        of_title = [self.facts[drafts] for drafts, _, _ in self.titles]
        names = [name for _, _, name in self.subreddits]
        keys = [read.key for _, _, read in self.images]
        columns = {
            "subreddit": _taken(names, self.subreddit[rows], pa.string()),
            "title": _taken([text for _, _, text in self.titles], title, pa.string()),
            "created_at": pa.array(self.hour[rows]).cast(TIME),
            "author_id": _taken([facts.author_id for facts in of_title], title, pa.string()),
            "over_18": _taken([facts.over_18 for facts in of_title], title, pa.bool_()),
            "spoiler": _taken([facts.spoiler for facts in of_title], title, pa.bool_()),
            "is_gallery": pa.array(np.zeros(len(rows), bool)),
            "flair": _taken([facts.extras.get(FLAIR) for facts in of_title], title, pa.string()),
            "image_key": _taken(keys, image, pa.string()),
        }
        for name in ("width", "height", "byte_size"):
            columns[name] = _taken([getattr(facts, name) for facts in of_image], image, pa.int64())
        return pa.table(columns)


def _as_met(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same numbers counted from 0 in the order in which they are met, and the first of each."""
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    met = np.argsort(first)
    place = np.empty_like(met)
    place[met] = np.arange(len(met))
    return place[which], first[met]


def microseconds_of(moment: datetime) -> int:
    """A time as the columns hold it."""
    return round(moment.timestamp() * 1e6)


def _grid(
    drafts: Sequence[Drafts], images: Sequence[Sequence[ReadImage]], as_of: datetime
) -> list[np.ndarray]:
    """Images, titles, subreddits and hours of every combination, (n,) each."""
    grids = []
    starts = np.zeros(3, np.int64)
    for each, shown in zip(drafts, images, strict=True):
        sizes = [len(shown), len(each.titles), len(each.subreddits)]
        axes = [np.arange(size) + start for size, start in zip(sizes, starts, strict=True)]
        axes[0] = axes[0] if sizes[0] else np.array([-1])
        hours = np.array([microseconds_of(hour) for hour in each.hours or (as_of,)])
        grids.append([grid.ravel() for grid in np.meshgrid(*axes, hours, indexing="ij")])
        starts += sizes
    return [np.concatenate(each) for each in zip(*grids, strict=True)]


def _ranks(names: Sequence[str]) -> np.ndarray:
    """The place of each name among the different ones, sorted."""
    return np.unique(np.array(names, object), return_inverse=True)[1].astype(np.int64)


def _numbered(of_drafts: Sequence[Sequence[T]]) -> list[tuple[int, int, T]]:
    return [
        (drafts, number, choice)
        for drafts, choices in enumerate(of_drafts)
        for number, choice in enumerate(choices)
    ]


def _taken(values: Sequence[object], numbers: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Each draft's value; null for the number -1."""
    places = pa.array(numbers, mask=numbers < 0)
    return pa.array(values, kind).take(places)
