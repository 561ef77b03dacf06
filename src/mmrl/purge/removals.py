"""Kept posts that are gone from Reddit, and since when, by observations and checks."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mmrl.catalog import Catalog
from mmrl.catalog.removers import ABSENT, MODERATED
from mmrl.config import PurgeSettings


@dataclass(frozen=True)
class State:
    """How a post was seen: when, why it was gone (None: it stood), and since when it was so."""

    at: datetime
    gone: str | None
    since: datetime


@dataclass
class Gone:
    """Posts that are gone.

    Attributes:
        erase: reasons by post id.
        waiting: posts that may yet come back, by reason; erased once they have been gone for long.
        kept: posts that the settings keep, by reason.
    """

    erase: dict[str, str] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


def find_gone(catalog: Catalog, purge: PurgeSettings, as_of: datetime) -> Gone:
    """The posts that were gone when last seen; those that came back stand. Asks nobody."""
    ids = {
        *catalog.read("observations", ["post_id"], "removed_by IS NOT NULL")["post_id"].to_pylist(),
        *catalog.read("checks", ["post_id"], "gone IS NOT NULL")["post_id"].to_pylist(),
    }
    states: dict[str, list[State]] = {post_id: [] for post_id in ids}
    observations = catalog.lookup(
        "observations", "post_id", ids, ["post_id", "observed_at", "removed_by"]
    ).to_pylist()
    for row in observations:
        at = row["observed_at"]
        states[row["post_id"]].append(State(at, row["removed_by"], at))
    checks = catalog.lookup("checks", "post_id", ids).to_pylist()
    for row in checks:
        at = row["checked_at"]
        states[row["post_id"]].append(State(at, row["gone"], row["gone_since"] or at))
    gone = Gone()
    for post_id, seen in states.items():
        reason, since = _last(seen)
        if reason is not None:
            _judge(gone, purge, post_id, reason, as_of - since)
    return gone


def _last(states: Iterable[State]) -> tuple[str | None, datetime]:
    """Why a post was gone at the newest state, and since when it has not been seen standing."""
    newest_first = sorted(states, key=lambda state: state.at, reverse=True)
    since = newest_first[0].since
    for state in newest_first:
        if state.gone is None:
            break
        since = min(since, state.since)
    return newest_first[0].gone, since


def _judge(gone: Gone, purge: PurgeSettings, post_id: str, reason: str, lasts: timedelta) -> None:
    moderated = reason in MODERATED  # that may be given back; all else is for good
    wait = timedelta(0)
    if moderated:
        wait = timedelta(hours=purge.moderated_after_hours)
    elif reason == ABSENT:
        wait = timedelta(days=purge.absent_after_days)
    if moderated and not purge.moderated:
        gone.kept[reason] += 1
    elif lasts < wait:
        gone.waiting[reason] += 1
    else:
        gone.erase[post_id] = reason
