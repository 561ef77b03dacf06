"""A draft of a post, and the prediction that a model makes of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mmrl.runtime.html_tables import html_table

if TYPE_CHECKING:
    from mmrl.images.given import GivenImage


@dataclass(frozen=True)
class Draft:
    """A post that somebody thinks of posting.

    Attributes:
        image: the path or the bytes of a still JPEG, PNG, WebP, GIF, AVIF or BMP file, or a Pillow
            image; None for a post without one.
        title: as it would be posted; not empty.
        subreddit: its name, with or without r/.
        author: a user's name, or None for somebody unknown.
        over_18: marked as not safe for work.
        flair: as it would be chosen; None for none.
        features: by name, those that posts were imported with, such as tags.
        at: when it is to go up: a time, or a text such as `Sat 18:00`, `tomorrow 9am` or
            `2026-11-28 18:00`, in UTC unless it says another zone; None for the moment that is
            known of.
    """

    image: "GivenImage | None"
    title: str
    subreddit: str
    author: str | None = None
    over_18: bool = False
    flair: str | None = None
    features: Mapping[str, str] = field(default_factory=dict)
    at: datetime | str | None = None

    def __repr__(self) -> str:
        values = ", ".join(f"{one.name}={_short(getattr(self, one.name))}" for one in fields(self))
        return f"Draft({values})"


@dataclass(frozen=True)
class Interval:
    """A range of an outcome, in the outcome's own unit.

    Attributes:
        low, high: the bounds between which the outcome lies 80 times in 100.
        middle: above and below which it lies as often.
    """

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """A model's prediction for a draft.

    Attributes:
        title, subreddit: the draft's; the subreddit without r/.
        posted_at: when it is taken to be posted, ISO 8601 in UTC.
        model_version: the registered model that predicted.
        score: upvotes less downvotes, once settled; None where the model learned percentiles, or
            popularity while the subscribers are not known.
        popularity: score per 1,000 subscribers; None where the subscribers are not known or the
            model learned percentiles.
        percentile: 0 to 1 among the subreddit's posts of the last 90 days. A model of percentiles
            tells it; else it is where the score would stand, None where too few posts are known
            or the score is None.
        caption: what the captioner saw; "" where it was not sure, None where no image was read.
        caption_kind: what such a caption is, such as `tags` for the packaged profile's.
        simulated: the model has learned from the sandbox's posts, which nobody ever wrote.
        notes: what a reader should know, in sentences, such as that the subreddit was never seen.
        removal: the chance that moderators or filters remove it; None where nothing is said of it.
    """

    title: str
    subreddit: str
    posted_at: str
    model_version: str
    score: Interval | None
    popularity: Interval | None
    percentile: Interval | None
    caption: str | None
    caption_kind: str
    simulated: bool
    notes: list[str] = field(default_factory=list)
    removal: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def _repr_html_(self) -> str:
        rows = [
            [name, *(("not known", "", "") if told is None else (told.middle, told.low, told.high))]
            for name in ("score", "popularity", "percentile")
            for told in (getattr(self, name),)
        ]
        above = html_table(
            ["", "likely", "80% from", "to"],
            rows,
            caption=f"{self.title}, r/{self.subreddit}, posted {self.posted_at}",
        )
        return above + html_table(["notes"], [[note] for note in self.notes])


class Predictions(list[Prediction]):
    """Predictions in the order of their drafts: a list that notebooks show as a table."""

    def _repr_html_(self) -> str:
        head = ["title", "subreddit", "posted at", "score, likely", "80% from", "to"]
        rows = [
            [
                *(each.title, f"r/{each.subreddit}", each.posted_at),
                *_ends(each.score),
                None if each.percentile is None else each.percentile.middle,
                " ".join(each.notes),
            ]
            for each in self
        ]
        return html_table([*head, "percentile, likely", "notes"], rows)


def _ends(told: Interval | None) -> tuple[float | None, ...]:
    return (None,) * 3 if told is None else (told.middle, told.low, told.high)


def _short(value: object) -> str:
    """A value as code writes it; of a file's bytes no more than how many they are."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return repr(value)
    size = memoryview(value).nbytes
    return f"<{size / 1e6:,.1f} MB>" if size >= 100_000 else f"<{size / 1e3:,.1f} kB>"
