"""A ranking as the page shows it: its best drafts in words, each once at its best hour."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmrl.serving.ranking import Ranked, Ranking
from mmrl.times import iso
from mmrl.web import wording
from mmrl.web.form import Asked
from mmrl.web.pictures import Picture

MOST_ROWS = 50


@dataclass(frozen=True)
class Row:
    """One draft, in words; `picture` is an id of `Pictures`, None without one."""

    place: int
    picture: str | None
    image: str
    title: str
    subreddit: str
    hour: str
    hour_utc: str
    range: Markup
    says: str
    score: str
    top_tenth: str
    against: str
    unclear: bool
    notes: tuple[str, ...]
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class Rows:
    """The rows, and what is said of them all."""

    rows: list[Row]
    said: str
    left_out: str
    notes: list[str]


def rows_of(ranking: Ranking, asked: Asked, pictures: Sequence[Picture]) -> Rows:
    """The best drafts of a ranking; of the same draft at several hours only the best one."""
    best: dict[tuple[int | None, int, str], Ranked] = {}
    for row in ranking:
        best.setdefault((row.image_number, row.title_number, row.subreddit), row)
        if len(best) >= MOST_ROWS:
            break
    shown = list(best.values())
    drafts = len(ranking.titles) * len(ranking.subreddits) * max(1, len(ranking.images))
    hours = len(ranking) // drafts if drafts else 1
    said = f"{len(ranking):,} combinations were predicted by version {ranking.model_version}."
    if hours > 1:
        said += f" Each draft stands once, at the best of its {hours:,} hours."
    left_out = max(0, drafts - len(shown))
    return Rows(
        rows=[_row(place, row, asked, pictures) for place, row in enumerate(shown, 1)],
        said=said,
        left_out=f"{left_out:,} more drafts rank below these." if left_out else "",
        notes=[note for note in ranking.notes if not ranking.simulated or "Simulated" not in note],
    )


def _row(place: int, row: Ranked, asked: Asked, pictures: Sequence[Picture]) -> Row:
    picture = None if row.image_number is None else pictures[row.image_number].id
    return Row(
        place=place,
        picture=picture,
        image=row.image or "",
        title=row.title,
        subreddit=row.subreddit,
        hour=wording.hour_of(row.posted_at, asked.place()),
        hour_utc=iso(row.posted_at),
        range=wording.drawn_range(row.percentile),
        says=wording.better_than(row),
        score=wording.score_of(row),
        top_tenth=wording.chance(row.top_tenth),
        against="",
        unclear=False,
        notes=row.notes,
        links=[],
    )
