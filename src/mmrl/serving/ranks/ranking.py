"""A ranking of drafts: the best first, each with what a model predicts of it and how surely."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, overload

import numpy as np

from mmrl.serving.inputs.drafts import Drafts
from mmrl.serving.prediction import Interval, Prediction
from mmrl.serving.ranks.spread import Spread
from mmrl.times import iso


@dataclass(frozen=True)
class Ranked:
    """One draft of a ranking.

    Attributes:
        place: 1 for the best.
        drafts, image_number, title_number: where it came from: which of the `Drafts`, and which of
            their images (None without one) and titles, from 0.
        image: the image's name; None without one.
        caption: what the captioner saw in it; "" where it was not sure, None where no image was
            read.
        subreddit: without r/.
        posted_at: when it is taken to be posted, UTC.
        percentile: 0 to 1 among the subreddit's posts of the last 90 days; None where too few are
            known, or the model tells no score.
        score: upvotes less downvotes, once settled; None where the model learned percentiles, or
            popularity while the subscribers are not known.
        popularity: score per 1,000 subscribers; None where it or they are not known.
        top_tenth: the chance, 0 to 1, of ending among the best tenth of the subreddit's posts of
            the last 90 days; None where the percentile is.
        removal: the chance, 0 to 1, that moderators or filters remove it; None where the model
            knows nothing of removals, or knows no more than the subreddit's rate.
        notes: what a reader should know beside the numbers, in sentences.
        spread: the distribution that the model predicts, which `compare` reads.
    """

    place: int
    drafts: int
    image_number: int | None
    title_number: int
    image: str | None
    caption: str | None
    title: str
    subreddit: str
    posted_at: datetime
    percentile: Interval | None
    score: Interval | None
    popularity: Interval | None
    top_tenth: float | None
    removal: float | None
    notes: tuple[str, ...]
    spread: Spread = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: all but the spread."""
        fields = {name: value for name, value in vars(self).items() if name != "spread"}
        for name in ("percentile", "score", "popularity"):
            fields[name] = None if fields[name] is None else vars(fields[name])
        return {**fields, "posted_at": iso(self.posted_at), "notes": list(self.notes)}


@dataclass(frozen=True)
class Choice:
    """One of the images, titles or subreddits that drafts are made of.

    Attributes:
        drafts, number: which of the `Drafts` it came with, and its place among its like there.
        name: of the image or the subreddit; the title.
        notes: what is said beside the numbers of each draft with it, in sentences.
        caption: of an image that was read.
    """

    drafts: int
    number: int
    name: str
    notes: tuple[str, ...] = ()
    caption: str | None = None


@dataclass(frozen=True)
class Columns:
    """The n drafts of a ranking in columns, (n,) each or (n, 3) for 10, 50 and 90% quantiles.

    What is not known is NaN.

    Attributes:
        image, title, subreddit: places in the ranking's choices; -1 without an image.
        hour: int64 microseconds since 1970.
        quantiles: in the model's unit.
        removal: the chance that moderators or filters remove it.
    """

    image: np.ndarray
    title: np.ndarray
    subreddit: np.ndarray
    hour: np.ndarray
    quantiles: np.ndarray
    percentile: np.ndarray
    score: np.ndarray
    popularity: np.ndarray
    top_tenth: np.ndarray
    removal: np.ndarray

    def take(self, rows: np.ndarray) -> "Columns":
        """Some of the drafts."""
        return Columns(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Ranking(Sequence[Ranked]):
    """Drafts from the best to the worst: by percentile, then by score; those without come last.

    A sequence of `Ranked`, made as they are asked for; `columns` holds them all at once.

    Attributes:
        model_version: the registered model that predicted.
        trained_at: when it was trained, ISO 8601.
        as_of: the time up to which posts are known.
        unit: of the quantiles: log_score or percentile.
        simulated: the model has learned from the sandbox's posts, which nobody ever wrote.
        caption_kind: what an image's caption is, such as `tags` for the packaged profile's.
        notes: what concerns all of the drafts, in sentences.
        images, titles, subreddits: what the columns' numbers stand for.
    """

    model_version: str
    trained_at: str
    as_of: datetime
    unit: str
    simulated: bool
    caption_kind: str
    notes: tuple[str, ...]
    columns: Columns = field(repr=False)
    images: Sequence[Choice] = field(repr=False)
    titles: Sequence[Choice] = field(repr=False)
    subreddits: Sequence[Choice] = field(repr=False)

    def __len__(self) -> int:
        return len(self.columns.hour)

    @overload
    def __getitem__(self, index: int) -> Ranked: ...

    @overload
    def __getitem__(self, index: slice) -> list[Ranked]: ...

    def __getitem__(self, index: int | slice) -> Ranked | list[Ranked]:
        if isinstance(index, slice):
            return [self._row(row) for row in range(*index.indices(len(self)))]
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(f"there are {len(self)} ranked drafts, no {index}")
        return self._row(row)

    def __iter__(self) -> Iterator[Ranked]:
        return map(self._row, range(len(self)))

    def with_best_hours(self) -> "Ranking":
        """Each image, title and subreddit once, at the hour that is best for them."""
        columns = self.columns
        drafts = np.stack([columns.image, columns.title, columns.subreddit], axis=1)
        _, best = np.unique(drafts, axis=0, return_index=True)
        return replace(self, columns=columns.take(np.sort(best)))

    def prediction(self, place: int) -> Prediction:
        """The draft at a place, from 0, by itself."""
        ranked = self[place]
        return Prediction(
            title=ranked.title,
            subreddit=ranked.subreddit,
            posted_at=iso(ranked.posted_at),
            model_version=self.model_version,
            score=ranked.score,
            popularity=ranked.popularity,
            percentile=ranked.percentile,
            caption=ranked.caption,
            caption_kind=self.caption_kind,
            simulated=self.simulated,
            notes=[*self.notes, *ranked.notes],
            removal=ranked.removal,
        )

    def _row(self, row: int) -> Ranked:
        columns = self.columns
        title = self.titles[int(columns.title[row])]
        subreddit = self.subreddits[int(columns.subreddit[row])]
        number = int(columns.image[row])
        image = None if number < 0 else self.images[number]
        top, removal = float(columns.top_tenth[row]), float(columns.removal[row])
        low, middle, high = map(float, columns.quantiles[row])
        return Ranked(
            place=row + 1,
            drafts=title.drafts,
            image_number=None if image is None else image.number,
            title_number=title.number,
            image=None if image is None else image.name,
            caption=None if image is None else image.caption,
            title=title.name,
            subreddit=subreddit.name,
            posted_at=datetime.fromtimestamp(int(columns.hour[row]) / 1e6, UTC),
            percentile=_interval(columns.percentile[row]),
            score=_interval(columns.score[row]),
            popularity=_interval(columns.popularity[row]),
            top_tenth=None if np.isnan(top) else top,
            removal=None if np.isnan(removal) else removal,
            notes=(*subreddit.notes, *(() if image is None else image.notes), *title.notes),
            spread=Spread(low, middle, high, self.unit),
        )


def draft_of(drafts: Sequence[Drafts], row: Ranked) -> Drafts:
    """A ranked draft by itself.

    Args:
        drafts: what was ranked.
    """
    of_row = drafts[row.drafts]
    images = () if row.image_number is None else (of_row.images[row.image_number],)
    return replace(
        of_row,
        images=images,
        titles=[row.title],
        subreddits=[row.subreddit],
        hours=[row.posted_at],
    )


def _interval(values: np.ndarray) -> Interval | None:
    return None if np.isnan(values).any() else Interval(*map(float, values))
