"""Rankings of drafts for the terminal: the table, and what else is asked of the best draft."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from mmrl.cli.terminal.table import plain_table
from mmrl.runtime.foreign_text import shown
from mmrl.serving.answers.when import WEEKDAYS
from mmrl.serving.wording import better_than, chance, hour_of, score_of

if TYPE_CHECKING:
    from mmrl.serving.answers.best import AboutBest
    from mmrl.serving.answers.explain import Explanation
    from mmrl.serving.answers.similar import Neighbour
    from mmrl.serving.answers.when import HourTable
    from mmrl.serving.ranks.ranking import Ranking

_SHADES = ("grey50", "", "green", "bold green")  # of hours, from the worst quarter to the best


def ranking_table(ranking: "Ranking", zone: str, top: int) -> Table:
    """The best drafts of a ranking, each with its interval; notes are below."""
    rows = ranking[:top]
    place = ZoneInfo(zone)
    notes = dict.fromkeys([*ranking.notes, *(note for row in rows for note in row.notes)])
    table = plain_table(
        f"{len(rows):,} of {len(ranking):,} drafts, by version {ranking.model_version}",
        "\n".join(shown(note, 500) for note in notes) if notes else None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", justify="right")
    table.add_column("likely", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("in the top tenth", justify="right")
    removals = any(row.removal is not None for row in rows)
    if removals:
        table.add_column("removed", justify="right")
    for name in ("image", "title", f"hour ({zone})"):
        table.add_column(name, overflow="fold")
    names = told_apart({row.image for row in rows if row.image})
    for row in rows:
        table.add_row(
            str(row.place),
            Text(shown(better_than(row), 120), style="bold" if row.place == 1 else ""),
            score_of(row),
            chance(row.top_tenth),
            *([chance(row.removal)] if removals else []),
            Text(names[row.image] if row.image else "none"),
            Text(shown(row.title, 60)),
            hour_of(row.posted_at, place),
        )
    return table


def told_apart(paths: Collection[str]) -> dict[str, str]:
    """What is shown of each image: the file's name alone, cut, where that tells them apart."""
    names = {path: shown(Path(path).name or path, 40) for path in paths}
    if len(set(names.values())) == len(names):
        return names
    return {path: shown(path, 400) for path in paths}


def shown_about(about: "AboutBest") -> Iterator[Table | Text]:
    """What was asked of the best draft, part by part."""
    if about.compared is not None:
        yield Text(f"The first against the second: {about.compared.sentence}\n")
    if about.hours is not None:
        yield hours_table(about.hours)
    if about.why is not None:
        yield reasons_table(about.why)
    if about.neighbours is not None and about.agreement is not None:
        yield neighbours_table(about.neighbours, about.agreement.sentence)


def hours_table(hours: "HourTable") -> Table:
    """A draft at each hour of the week: percent of the subreddit's posts, or the score."""
    unit = "better than % of posts" if hours.by == "percentile" else "expected score"
    table = Table(
        title=Text(f"When, {unit}, {hours.zone}"),
        caption=Text(hours.sentence),
        title_justify="left",
        caption_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for hour in range(24):
        table.add_column(f"{hour:02}", justify="right")
    known = sorted(value for day in hours.values.tolist() for value in day if value == value)
    quarters = [known[len(known) * quarter // 4] for quarter in (1, 2, 3)]
    for weekday, day in zip(WEEKDAYS, hours.values.tolist(), strict=True):
        cells = []
        for value in day:
            style = _SHADES[sum(value >= quarter for quarter in quarters)]
            number = 100 * value if hours.by == "percentile" else value
            cells.append(Text("" if value != value else f"{number:.0f}", style=style))
        table.add_row(weekday, *cells)
    return table


def reasons_table(why: "Explanation") -> Table:
    """What each kind of input adds to the best draft, and what its words are worth."""
    of_whom = f"r/{shown(why.subreddit)}" if why.subreddit else "all subreddits"
    table = plain_table(
        f"Why: against a typical post of {of_whom} ({why.posts} of them)", why.trust
    )
    table.add_column("")
    table.add_column("the expected score" if why.logarithms else "the percentile", justify="right")
    for one in why.contributions:
        table.add_row(one.label, _amount(one.value, one.factor))
    for word in sorted(why.words, key=lambda word: -abs(word.value))[:5]:
        table.add_row(Text(f"the word '{shown(word.word, 40)}'"), _amount(word.value, word.factor))
    return table


def neighbours_table(posts: "tuple[Neighbour, ...]", sentence: str) -> Table:
    """Posts like the best draft, and whether such posts predict anything."""
    table = plain_table("Like it: the nearest matured posts of the subreddit", sentence)
    for name, justify in (("title", "left"), ("posted", "left"), ("score", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("better than", justify="right")
    table.add_column("likeness", justify="right")
    for post in posts:
        table.add_row(
            _linked(shown(post.title, 60), post.link),
            f"{post.created_at:%Y-%m-%d}",
            f"{post.score:,}",
            "not known" if post.percentile is None else f"{post.percentile:.0%}",
            f"{post.likeness:.2f}",
        )
    return table


def _linked(title: str, link: str | None) -> Text:
    """A post's title, and its page beneath it."""
    text = Text(title)
    if link is not None:
        text.append(f"\n{link}", style="dim")
    return text


def _amount(value: float, factor: float | None) -> str:
    return f"{100 * value:+.1f} points" if factor is None else f"x {factor:.2f}"
