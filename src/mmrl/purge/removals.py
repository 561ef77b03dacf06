"""Which of the kept posts are known to be gone, and since when: from looks and from checks."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mmrl.catalog import Catalog
from mmrl.collector.observations import ABSENT
from mmrl.config import PurgeSettings

# What moderators and Reddit's filters take away they may give back; all else is for good.
MODERATED = frozenset({"moderator", "automod_filtered", "reddit"})


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
    """The posts that were gone when last looked at. Asks nobody; what came back stands."""
    ids = {
        *catalog.read("observations", ["post_id"], "removed_by IS NOT NULL")["post_id"].to_pylist(),
        *catalog.read("checks", ["post_id"], "gone IS NOT NULL")["post_id"].to_pylist(),
    }
    # Each time a post was looked at: when, what was found, and since when.
    seen: dict[str, list[tuple[datetime, str | None, datetime]]] = {post_id: [] for post_id in ids}
    looks = catalog.lookup(
        "observations", "post_id", ids, ["post_id", "observed_at", "removed_by"]
    ).to_pylist()
    for look in looks:
        seen[look["post_id"]].append((look["observed_at"], look["removed_by"], look["observed_at"]))
    checks = catalog.lookup("checks", "post_id", ids).to_pylist()
    for check in checks:
        at = check["checked_at"]
        seen[check["post_id"]].append((at, check["gone"], check["gone_since"] or at))
    gone = Gone()
    for post_id, times in seen.items():
        reason, since = _last(times)
        if reason is not None:
            _judge(gone, purge, post_id, reason, as_of - since)
    return gone


def _last(times: Iterable[tuple[datetime, str | None, datetime]]) -> tuple[str | None, datetime]:
    """What the newest look found, and since when no look has found the post standing."""
    newest_first = sorted(times, key=lambda found: found[0], reverse=True)
    reason, since = newest_first[0][1:]
    for _, found, began in newest_first:
        if found is None:
            break
        since = min(since, began)
    return reason, since


def _judge(gone: Gone, purge: PurgeSettings, post_id: str, reason: str, lasts: timedelta) -> None:
    moderated = reason in MODERATED
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
