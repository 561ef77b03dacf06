"""Drafts: posts that somebody thinks of posting, as every combination of a few choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from mmrl.catalog.keys import image_content
from mmrl.errors import InputError

MOST_COMBINATIONS = 100_000  # in one ranking: 10 images x 10 titles x 5 subreddits x 168 hours fit
MOST_TITLE = 2_000  # characters; Reddit takes 300
MOST_IMAGES = 200  # each is held in memory and encoded


@dataclass(frozen=True)
class ImageFile:
    """An image that may be posted: a still JPEG, PNG, WebP, GIF, AVIF or BMP file's bytes.

    Attributes:
        name: what people call it, such as the file's name; it is shown and never opened.
    """

    name: str
    data: bytes

    @cached_property
    def content(self) -> str:
        """What it is known by: the SHA-256 of its bytes."""
        return image_content(self.data)


@dataclass(frozen=True)
class Drafts:
    """Posts that somebody may post: each image with each title in each subreddit at each hour.

    Attributes:
        titles: as they would be posted; one at least, none empty.
        subreddits: names, with or without r/; one at least.
        images: none for posts without an image.
        hours: when they may go up; none for the moment that is known of.
        author: a user's name, or None for somebody unknown.
        over_18: marked as not safe for work.
        spoiler: marked as a spoiler.
        flair: as it would be chosen; None for none.
        features: by name, those that posts were imported with, such as tags.
    """

    titles: Sequence[str]
    subreddits: Sequence[str]
    images: Sequence[ImageFile] = ()
    hours: Sequence[datetime] = ()
    author: str | None = None
    over_18: bool = False
    spoiler: bool = False
    flair: str | None = None
    features: Mapping[str, str] = field(default_factory=dict)

    @property
    def combinations(self) -> int:
        """How many posts these are."""
        images, hours = max(1, len(self.images)), max(1, len(self.hours))
        return images * len(self.titles) * len(self.subreddits) * hours


def single(drafts: Drafts, hours: Sequence[datetime]) -> Drafts:
    """One draft at these hours.

    Raises:
        InputError: they are several.
    """
    for name, choices in (
        ("images", drafts.images),
        ("titles", drafts.titles),
        ("subreddits", drafts.subreddits),
    ):
        if len(choices) > 1:
            raise InputError(f"{len(choices)} {name} are several drafts: choose one of them.")
    return replace(drafts, hours=hours)


def check_drafts(drafts: Sequence[Drafts]) -> None:
    """Refuses drafts that can't be ranked, before anything is encoded.

    Raises:
        InputError: there are none, a title or subreddit is empty, a title is very long, or there
            are too many.
    """
    if not drafts:
        raise InputError("There is nothing to predict: give a title and a subreddit.")
    for each in drafts:
        named = [name for name in each.subreddits if subreddit_name(name)]
        titled = [title for title in each.titles if title.strip()]
        if not (titled and named) or len(titled + named) < len(each.titles) + len(each.subreddits):
            raise InputError("A prediction needs a title and a subreddit: neither may be empty.")
        longest = max(map(len, each.titles))
        if longest > MOST_TITLE:
            raise InputError(
                f"A title has {longest:,} characters: give one of at most {MOST_TITLE:,}."
            )
        for hour in each.hours:
            if hour.tzinfo is None:
                raise InputError(f"The hour {hour.isoformat()} has no time zone: give it one.")
    images = len({image.data for each in drafts for image in each.images})
    if images > MOST_IMAGES:
        raise InputError(
            f"{images:,} images are more than the {MOST_IMAGES} that one ranking takes: rank them "
            "a part at a time."
        )
    combinations = sum(each.combinations for each in drafts)
    if combinations > MOST_COMBINATIONS:
        raise InputError(
            f"{combinations:,} combinations of images, titles, subreddits and hours are more than "
            f"the {MOST_COMBINATIONS:,} that one ranking takes: give fewer of them."
        )


def subreddit_name(name: str) -> str:
    """A subreddit's name without r/, slashes and blanks around it."""
    bare = name.strip().lstrip("/")
    return (bare[2:] if bare[:2].lower() == "r/" else bare).strip("/")
