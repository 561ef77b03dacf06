"""What the page says of numbers, as a person would."""

from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from mmrl.serving.prediction import Interval
from mmrl.serving.ranking import Ranked
from mmrl.web.communities import Community

_WIDE = 100  # units of the drawn range


def hour_of(moment: datetime, zone: ZoneInfo) -> str:
    """An hour as people read it, in their zone: `Sat 28 Nov, 18:00`."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def day_of(moment: datetime) -> str:
    """A day: `28 Nov 2026`."""
    return f"{moment.day} {moment:%b %Y}"


def better_than(row: Ranked) -> str:
    """Where a draft would stand among its community's posts."""
    if row.percentile is None:
        return f"Where it would stand in r/{row.subreddit} is not known."
    low, middle, high = percents(row.percentile)
    return f"better than {middle}% of r/{row.subreddit}'s posts ({low} to {high})"


def percents(interval: Interval) -> tuple[int, int, int]:
    """Low, middle and high of a share in percent."""
    return tuple(round(100 * value) for value in (interval.low, interval.middle, interval.high))  # type: ignore[return-value]


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


def drawn_range(interval: Interval | None) -> Markup:
    """An 80% interval of shares as a small drawing; what it says stands beside it in words."""
    if interval is None:
        return Markup("")
    low, middle, high = percents(interval)
    return Markup(
        '<svg class="range" viewBox="0 0 {0} 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" y="3" width="{0}" height="2"/>'
        '<rect class="span" x="{1}" y="1" width="{2}" height="6"/>'
        '<rect class="middle" x="{3}" width="1.4" height="8"/></svg>'
    ).format(_WIDE, low, max(1, high - low), min(middle, _WIDE - 1))


def known_of(community: Community) -> str:
    """What is known of a community, in a line."""
    parts = [f"{community.matured:,} matured posts"]
    if community.median_score is not None:
        parts.append(f"median score {community.median_score:,.0f}")
    if community.subscribers is not None:
        parts.append(f"{community.subscribers:,} subscribers")
    return " · ".join(parts)
