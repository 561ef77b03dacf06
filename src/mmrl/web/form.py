"""The page's form: what was asked, in an address and back, and as drafts to rank."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Self, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

from starlette.datastructures import QueryParams

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.serving.inputs.drafts import Drafts, ImageFile, subreddit_name
from mmrl.serving.inputs.hours import next_seven_days, posting_time
from mmrl.web.pictures import Picture, Pictures

When = Literal["now", "at", "best"]
_WHENS = ("now", "at", "best")
ZONES = sorted(available_timezones())
MOST_TITLES = 50
MOST_COMMUNITIES = 20


@dataclass(frozen=True)
class Asked:
    """What a person has put into the form.

    Attributes:
        pictures: ids of `Pictures`.
        titles: one at least to rank; as written, without blanks around.
        communities: names without r/.
        at: the date and hour as the browser writes it, `2026-11-28T18:00`, or in words.
        zone: the reader's time zone, such as Europe/Berlin.
    """

    pictures: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    communities: tuple[str, ...] = ()
    when: When = "best"
    at: str = ""
    zone: str = "UTC"
    author: str = ""
    flair: str = ""
    over_18: bool = False
    spoiler: bool = False

    @classmethod
    def of(cls, texts: Mapping[str, Sequence[str]]) -> Self:
        """What texts by name say, of an address or a form; names that are not ours are left out."""

        def last(name: str) -> str:
            return (texts.get(name) or [""])[-1].strip()

        lines = [line for text in texts.get("title", ()) for line in text.splitlines()]
        written = " ".join(texts.get("other", ())).replace(",", " ").split()
        names = [subreddit_name(name) for name in [*texts.get("community", ()), *written]]
        when = last("when")
        return cls(
            pictures=_distinct(texts.get("picture", ())),
            titles=_distinct(line.strip() for line in lines),
            communities=_distinct_names(names),
            when=cast(When, when) if when in _WHENS else "best",
            at=last("at"),
            zone=last("zone") or "UTC",
            author=last("author"),
            flair=last("flair"),
            over_18=bool(last("over_18")),
            spoiler=bool(last("spoiler")),
        )

    @classmethod
    def of_query(cls, query: QueryParams) -> Self:
        """What an address says."""
        return cls.of({name: query.getlist(name) for name in query})

    def query(self, **changed: object) -> str:
        """The address's query that says this, with some fields changed."""
        asked = replace(self, **changed)  # type: ignore[arg-type]
        pairs: list[tuple[str, str]] = [("picture", id) for id in asked.pictures]
        pairs += [("title", title) for title in asked.titles]
        pairs += [("community", name) for name in asked.communities]
        pairs += [("when", asked.when)]
        pairs += [("at", asked.at)] if asked.when == "at" else []
        pairs += [("zone", asked.zone)]
        pairs += [(name, text) for name in ("author", "flair") if (text := getattr(asked, name))]
        pairs += [(name, "1") for name in ("over_18", "spoiler") if getattr(asked, name)]
        return urlencode(pairs)

    @property
    def complete(self) -> bool:
        """Whether there is something to rank."""
        return bool(self.titles and self.communities)

    @property
    def missing(self) -> list[str]:
        """What a ranking needs and the form lacks, in sentences."""
        if not (self.pictures or self.titles or self.communities):
            return []
        lacking = []
        if not self.titles:
            lacking.append("Write at least one title.")
        if not self.communities:
            lacking.append("Choose at least one community.")
        return lacking

    def place(self) -> ZoneInfo:
        """The reader's time zone; UTC where there is no such zone."""
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            return ZoneInfo("UTC")

    def hours(self, as_of: datetime) -> list[datetime]:
        """The hours to rank.

        Raises:
            InputError: the date or the time zone is none, or the date is past.
        """
        if self.when == "at":
            return [posting_time(self.at, self.zone, as_of)]
        return next_seven_days(as_of) if self.when == "best" else [as_of]

    def drafts(self, pictures: Sequence[Picture], as_of: datetime) -> Drafts:
        """The drafts to rank; raises InputError as `hours` does, or where there are too many."""
        _at_most(len(self.titles), MOST_TITLES, "titles")
        _at_most(len(self.communities), MOST_COMMUNITIES, "communities")
        return Drafts(
            titles=self.titles,
            subreddits=self.communities,
            images=[ImageFile(picture.name, picture.data) for picture in pictures],
            hours=self.hours(as_of),
            author=self.author or None,
            over_18=self.over_18,
            spoiler=self.spoiler,
            flair=self.flair or None,
        )

    def find(self, pictures: Pictures) -> "Found":
        """The pictures of the form that are still in memory, and how many are not."""
        kept = [pictures.get(id) for id in self.pictures]
        remembered = [picture for picture in kept if picture is not None]
        return Found(remembered, len(kept) - len(remembered))


@dataclass(frozen=True)
class Found:
    """Pictures of a form; `forgotten` of them are no longer in memory."""

    pictures: list[Picture] = field(default_factory=list)
    forgotten: int = 0


def check_to_come(hour: datetime, as_of: datetime) -> datetime:
    """An hour; raises InputError where it is past."""
    if hour < as_of:
        raise InputError(
            f"{hour.isoformat()} is past: a draft is posted later than what is known of "
            f"({as_of.isoformat(timespec='minutes')})."
        )
    return hour


def _at_most(count: int, most: int, what: str) -> None:
    if count > most:
        raise InputError(f"{count:,} {what} were given; {most} at a time are the most.")


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that differ in more than letter case, the first spelling of each."""
    first: dict[str, str] = {}
    for name in names:
        if name:
            first.setdefault(name.lower(), shown(name, 100))
    return tuple(first.values())
