"""Will it stay? The chance that moderators or filters remove a draft, and what would change it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.learning.removals import Facts, RemovalModel
from mmrl.samples.removals import (
    MARKS,
    PLACED,
    RemovalHistory,
    marks_of,
    posts_with_fates,
    times_of,
)
from mmrl.serving.inputs.combine import Combinations, microseconds_of
from mmrl.serving.inputs.drafts import Drafts, single
from mmrl.serving.inputs.hours import next_seven_days
from mmrl.serving.ranks.opened import Opened

_LESS, _POINTS = 0.8, 0.01  # a change is named that makes the chance so much less, and by so much
_LENGTHS = (20, 40, 70, 120, 200)  # characters of a title that are tried
_MOST = 5  # changes
_SWITCHES = {  # by mark, what it is called with and without it
    "title_has_brackets": ("brackets in the title", "no brackets in the title"),
    "title_has_question": ("a question mark in the title", "no question mark in the title"),
    "title_has_exclamation": ("an exclamation mark", "no exclamation mark"),
    "title_has_digit": ("a number in the title", "no number in the title"),
    "has_flair": ("a flair", "no flair"),
    "over_18": ("the over-18 mark", "no over-18 mark"),
    "spoiler": ("the spoiler mark", "no spoiler mark"),
}
UNSEEN = (
    "What mmrl can't see is in the subreddit's rate alone: rules about accounts (their age, their "
    "karma, how often they post), and what a moderator thinks of the image."
)


@dataclass(frozen=True)
class Change:
    """Something that a person can do, and the chance of removal with it."""

    says: str
    chance: float


@dataclass(frozen=True)
class Removal:
    """Whether a draft will stay.

    Attributes:
        chance: that moderators or filters remove it; None where nothing is said.
        posts, removed: of the subreddit, of those whose fate is known.
        changes: what would make it less likely, the most telling first.
        sentence: for people.
        unseen: what is not told apart.
    """

    subreddit: str
    chance: float | None
    posts: int
    removed: int
    changes: tuple[Change, ...]
    sentence: str
    unseen: str = UNSEEN

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "changes": [vars(change) for change in self.changes]}


def removal_chances(opened: Opened, combined: Combinations) -> np.ndarray:
    """The chance of each of n drafts, (n,); NaN where nothing is said."""
    model = _shown(opened)
    if model is None:
        return np.full(len(combined), np.nan)
    marks, facts = _read(opened, combined)
    return model.chances(marks, facts)


def removal(opened: Opened, drafts: Drafts) -> Removal:
    """Whether a draft will stay.

    Args:
        drafts: one image at most, one title, one subreddit; of several hours the first counts.

    Raises:
        InputError: they are several drafts.
    """
    one = single(drafts, drafts.hours[:1])
    combined, _ = opened.combine([one])
    name = combined.subreddits[0][2]
    counts, gone = _history(opened).counts([name.lower()], microseconds_of(opened.as_of))
    posts, removed = int(counts[0]), round(float(gone[0]))
    rate = (
        f"{removed:,} of the {posts:,} posts of r/{name} whose fate is known were removed"
        if posts
        else f"of no post of r/{name} it is known whether it was removed"
    )
    model = _shown(opened)
    if model is None:
        return Removal(
            name,
            None,
            posts,
            removed,
            (),
            f"Nothing is said of this draft: {_silent(opened)}; {rate}.",
        )
    marks, facts = _read(opened, combined)
    chance = float(model.chances(marks, facts)[0])
    return Removal(
        name,
        chance,
        posts,
        removed,
        _changes(model, marks, facts, chance, opened),
        f"Moderators or filters remove it with a chance of {chance:.0%}; {rate}.",
    )


def _shown(opened: Opened) -> RemovalModel | None:
    """The model of removals, where it is good enough to be shown."""
    model = opened.registered.model.removals
    return model if model is not None and model.shown else None


def _silent(opened: Opened) -> str:
    """Why no model of removals is shown."""
    if opened.registered.model.removals is None:
        return (
            "the model has learned nothing of removals (the fate of too few posts was known, or an "
            "earlier mmrl trained it)"
        )
    return "on later posts the model knew no more than the subreddits' rates"


def _history(opened: Opened) -> RemovalHistory:
    def read() -> RemovalHistory:
        return RemovalHistory(posts_with_fates(opened.catalog, opened.settings, opened.as_of))

    return opened.memo.of("removals", read)


def _read(opened: Opened, combined: Combinations) -> tuple[np.ndarray, Facts]:
    """What the model reads of the drafts: worked out once a content and once a place."""
    contents, places = combined.table(combined.example), combined.table(combined.there)
    marks = np.where(PLACED, marks_of(places)[combined.place], marks_of(contents)[combined.content])
    rates = _history(opened).rates(places["subreddit"], places["author_id"], times_of(places))
    facts = Facts(places["subreddit"].to_pylist(), rates.subreddit, rates.author)
    return marks, facts.take(combined.place)


def _changes(
    model: RemovalModel, marks: np.ndarray, facts: Facts, chance: float, opened: Opened
) -> tuple[Change, ...]:
    """What would make a removal less likely, one change at a time."""
    tried = list(_tried(marks[0], next_seven_days(opened.as_of)))
    others = np.stack([changed for _, changed in tried])
    told = model.chances(others, facts.take(np.zeros(len(others), np.int64)))
    best: dict[str, Change] = {}
    for (says, _), after in zip(tried, map(float, told), strict=True):
        kind = says.split(":")[0]
        clear = after <= _LESS * chance and after <= chance - _POINTS
        if clear and (kind not in best or after < best[kind].chance):
            best[kind] = Change(says.replace(":", ""), after)
    return tuple(sorted(best.values(), key=lambda change: change.chance)[:_MOST])


def _tried(marks: np.ndarray, hours: Sequence[Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Changes of a draft, and its marks with each; what stands before a colon is the kind."""

    def with_values(**values: float) -> np.ndarray:
        changed = marks.copy()
        for name, value in values.items():
            changed[MARKS.index(name)] = value
        return changed

    for name, (having, without) in _SWITCHES.items():
        there = marks[MARKS.index(name)] > 0
        yield without if there else having, with_values(**{name: 0.0 if there else 1.0})
    if marks[MARKS.index("title_upper_share")] > 0:
        yield "fewer capitals", with_values(title_upper_share=0.05)
    for length in _LENGTHS:
        log = float(np.log1p(length))
        yield f"a title: of about {length} characters", with_values(log_title_chars=log)
    table = pa.table({"created_at": pa.array(hours), "title": pa.array([""] * len(hours))})
    of_hours = marks_of(table)
    for hour, of_hour in zip(hours, of_hours, strict=True):
        yield f"another hour: such as {hour:%a %H}:00 UTC", np.where(PLACED, of_hour, marks)
