"""Numbers in the page's words, as a person would say them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from markupsafe import Markup

from mmrl.report.data import SubredditResult
from mmrl.runtime.foreign_text import shown
from mmrl.serving.communities import Community
from mmrl.serving.prediction import Interval
from mmrl.serving.ranks.posted_before import Before
from mmrl.serving.wording import better_than, chance, hour_of, percents, score_of

__all__ = ["better_than", "chance", "hour_of", "percents", "score_of"]  # said here, too

_WIDE = 100  # units of the drawn range
_TOLD = 3  # posts of one picture


def day_of(moment: datetime) -> str:
    """A day: `28 Nov 2026`."""
    return f"{moment.day} {moment:%b %Y}"


def posted_before(name: str, posts: Sequence[Before]) -> str:
    """Where a picture was posted before, and what became of it.

    Args:
        posts: one or more, the newest first.
    """
    times = f"{len(posts):,} times before" if len(posts) > 1 else "before"
    told = "; ".join(_told(post) for post in posts[:_TOLD])
    return f"{shown(name)} was posted {times}: {told}."


def _told(post: Before) -> str:
    score = "its score has not settled" if post.score is None else f"score {post.score:,}"
    return f"in r/{post.subreddit} on {day_of(post.created_at)}, {score}"


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


def record_in(name: str, judged: SubredditResult | None, learned: int | None) -> str:
    """From how many posts of a community the model learned, and how it did on its test posts.

    Args:
        learned: None where a model of an earlier mmrl does not tell.
    """
    start = (
        f"r/{name}: " if learned is None else f"r/{name}: learned from {learned:,} of its posts; "
    )
    if judged is None:
        return f"{start}none of the posts that it was judged on is of this community."
    coverage = f"{start}judged on {judged.posts:,} posts, {judged.coverage:.0%} inside their range"
    if judged.spearman is None:
        return f"{coverage}; too few to say how well it orders them."
    return f"{coverage}; rank agreement {judged.spearman:.2f} (1 is perfect, 0 is chance)."


def age(since: timedelta) -> str:
    """A span in the unit that a person would use."""
    hours = since.total_seconds() / 3600
    if hours < 1:
        return "less than an hour"
    if hours < 48:
        return f"{hours:.0f} hour{'s' if round(hours) > 1 else ''}"
    return f"{hours / 24:.0f} days"
