"""Facts of posts that their first answer lacked: taken from later answers, with the time.

A gallery may be up before Reddit has worked through its images, and flair may be given later. An
image is the post's own, whenever its address came; a flair that came later is no feature.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS

Post = dict[str, Any]
# Each fact with the column of the time at which it came, where that was after the first answer.
FACTS = {"image_url": "image_known_at", "gallery_size": "image_known_at", "flair": "flair_known_at"}


def tells_more(before: Post, post: Post) -> bool:
    """True where an answer has a fact that the post lacks."""
    return any(before[name] is None and _of_the_net(post[name]) for name in FACTS)


def fill(catalog: Catalog, answers: Iterable[tuple[Post, datetime]]) -> int:
    """Fills in what kept posts lack, in one commit; the filter decides those pictured anew.

    Args:
        answers: posts as later answers tell them, with the time of each answer.

    Returns:
        how many posts were filled in.
    """
    import pyarrow as pa

    told: dict[str, list[tuple[Post, datetime]]] = {}
    for post, at in answers:
        if any(_of_the_net(post[name]) for name in FACTS):
            told.setdefault(post["post_id"], []).append((post, at))
    lacking = " OR ".join(f"{name} IS NULL" for name in FACTS)
    columns = ["post_id", *FACTS]
    known = catalog.lookup("posts", "post_id", told, columns, lacking).to_pylist()
    more = [
        row["post_id"]
        for row in known
        if any(tells_more(row, post) for post, _ in told[row["post_id"]])
    ]
    rows = catalog.lookup("posts", "post_id", more).to_pylist()
    for row in rows:
        for post, at in sorted(told[row["post_id"]], key=lambda answer: answer[1]):
            for name, known_at in FACTS.items():
                if row[name] is None and _of_the_net(post[name]):
                    row[name], row[known_at] = post[name], at
    catalog.upsert("posts", pa.Table.from_pylist(rows, schema=SCHEMAS["posts"]))
    return len(rows)


def _of_the_net(value: object) -> bool:
    """True for a fact that there is; a file of this machine goes with the table that named it."""
    return value is not None and not (isinstance(value, str) and value.startswith("file:"))
