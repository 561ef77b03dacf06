"""Rules of communities: kept with the time when they were first read so, again when they change."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.sources.live import LiveSource

TABLE = "community_rules"


def keep_rules(
    source: LiveSource, catalog: Catalog, subreddits: Sequence[str], as_of: datetime
) -> int:
    """Asks for the rules of subreddits, and writes those that are new; returns how many.

    Raises:
        SourceError, ConfigError: no answer; wrong credentials.
    """
    known = newest_rules(catalog)
    rows = []
    for part in source.rules(subreddits):
        for rules in part:
            name = rules.subreddit.lower()
            if rules.text and known.get(name) != rules.text:
                known[name] = rules.text
                facts = {"subreddit": name, "read_at": as_of, "text": rules.text}
                rows.append({**facts, "source": source.name})
    catalog.upsert(TABLE, pa.Table.from_pylist(rows, schema=SCHEMAS[TABLE]))
    return len(rows)


def newest_rules(catalog: Catalog, as_of: datetime | None = None) -> dict[str, str]:
    """The rules of each subreddit, a rule a line, as they were at a time; the newest by default.

    Args:
        as_of: rules that were read later do not count.
    """
    rows = catalog.read(TABLE).to_pylist()
    rows.sort(key=lambda row: row["read_at"])
    return {
        row["subreddit"]: row["text"] for row in rows if as_of is None or row["read_at"] <= as_of
    }
