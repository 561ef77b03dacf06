"""A ranking as the page shows it: its best drafts in words, each once at its best hour."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmrl.errors import InputError
from mmrl.home.ranker import Ranker
from mmrl.serving.ranks.notes import SIMULATED
from mmrl.serving.ranks.ranking import Ranked, Ranking
from mmrl.times import iso
from mmrl.web.form import Asked
from mmrl.web.pages import wording
from mmrl.web.pictures import Picture

MOST_ROWS = 50


@dataclass(frozen=True)
class Row:
    """One draft, in words.

    Attributes:
        picture: an id of `Pictures`; None without one.
        compared: how it does against another row, `unclear` where neither is clearly better.
        alone: the query of an address that says this draft alone.
        compare: that of the ranking compared with this row.
    """

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
    removal: str | None
    compared: str
    unclear: bool
    notes: tuple[str, ...]
    alone: str
    compare: str


@dataclass(frozen=True)
class Rows:
    """The rows, compared with that at the place `against`, and what is said of them all."""

    rows: list[Row]
    against: int
    summary: str
    left_out: str
    notes: list[str]


def rows_of(
    ranker: Ranker,
    ranking: Ranking,
    asked: Asked,
    pictures: Sequence[Picture],
    against: int = 1,
) -> Rows:
    """The best drafts of a ranking; of the same draft at several hours only the best one.

    Args:
        ranker: the one that ranked, which compares drafts.
        against: the place of the row that the others are compared with.
    """
    best: dict[tuple[int | None, int, str], Ranked] = {}
    for row in ranking:
        best.setdefault((row.image_number, row.title_number, row.subreddit), row)
        if len(best) >= MOST_ROWS:
            break
    shown = list(best.values())
    against = against if 1 <= against <= len(shown) else 1
    drafts = len(ranking.titles) * len(ranking.subreddits) * max(1, len(ranking.images))
    hours = len(ranking) // drafts if drafts else 1
    summary = f"{len(ranking):,} combinations were predicted by version {ranking.model_version}."
    if hours > 1:
        summary += f" Each draft stands once, at the best of its {hours:,} hours."
    left_out = max(0, drafts - len(shown))
    maker = _Maker(ranker, shown[against - 1], against, asked, pictures)
    return Rows(
        rows=[maker.row(place, row) for place, row in enumerate(shown, 1)],
        against=against,
        summary=summary,
        left_out=f"{left_out:,} more drafts rank below these." if left_out else "",
        notes=[note for note in ranking.notes if note != SIMULATED],
    )


@dataclass(frozen=True)
class _Maker:
    """Makes rows of one ranking: `other` is the draft at the place `against`."""

    ranker: Ranker
    other: Ranked
    against: int
    asked: Asked
    pictures: Sequence[Picture]

    def row(self, place: int, row: Ranked) -> Row:
        picture = None if row.image_number is None else self.pictures[row.image_number].id
        zone = self.asked.place()
        at = row.posted_at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
        alone = self.asked.query(
            pictures=() if picture is None else (picture,),
            titles=(row.title,),
            communities=(row.subreddit,),
            when="now" if self.asked.when == "now" else "at",
            at=at,
        )
        compared, unclear = self._compared(place, row)
        return Row(
            place=place,
            picture=picture,
            image=row.image or "",
            title=row.title,
            subreddit=row.subreddit,
            hour=wording.hour_of(row.posted_at, zone),
            hour_utc=iso(row.posted_at),
            range=wording.drawn_range(row.percentile),
            says=wording.better_than(row),
            score=wording.score_of(row),
            top_tenth=wording.chance(row.top_tenth),
            removal=None if row.removal is None else wording.chance(row.removal),
            compared=compared,
            unclear=unclear,
            notes=row.notes,
            alone=alone,
            compare=f"{self.asked.query()}&against={place}#ranking",
        )

    def _compared(self, place: int, row: Ranked) -> tuple[str, bool]:
        """The chance that a draft does better than the other one, and whether that is unclear."""
        if place == self.against:
            return "", False
        try:
            compared = self.ranker.compare(row, self.other)
        except InputError:
            return "not known", True
        share = compared.first_better
        if not compared.clear:
            return f"{share:.0%}: no clear difference", True
        return wording.chance(share), False
