"""Predictions in a person's words, for the page and the terminal."""

from datetime import datetime
from zoneinfo import ZoneInfo

from mmrl.serving.prediction import Interval
from mmrl.serving.ranks.ranking import Ranked


def hour_of(moment: datetime, zone: ZoneInfo) -> str:
    """An hour as people read it, in their zone: `Sat 28 Nov, 18:00`."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def better_than(row: Ranked) -> str:
    """Where a draft would stand among its community's posts."""
    if row.percentile is None:
        return f"Where it would stand in r/{row.subreddit} is not known."
    low, middle, high = percents(row.percentile)
    return f"better than {middle}% of {possessive(f'r/{row.subreddit}')} posts ({low} to {high})"


def possessive(name: str) -> str:
    """r/pics', r/aww's."""
    return f"{name}'" if name.lower().endswith("s") else f"{name}'s"


def percents(interval: Interval) -> tuple[int, int, int]:
    """Low, middle and high of a share in percent."""
    return round(100 * interval.low), round(100 * interval.middle), round(100 * interval.high)


def score_of(row: Ranked) -> str:
    """The expected score with its range."""
    if row.score is None:
        return "not known"
    low, middle, high = (f"{round(v):,}" for v in vars(row.score).values())
    return f"{middle} ({low} to {high})"


def chance(share: float | None) -> str:
    """A chance in words that don't claim certainty."""
    if share is None:
        return "not known"
    if share < 0.01:
        return "under 1%"
    return "over 99%" if share > 0.99 else f"{share:.0%}"
