"""The communities that posts are known of: how many matured, what they get, who reads them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.samples.known import read_known

_COLUMNS = ("subreddit", "created_at", "score", "subscribers", "label_subscribers")


@dataclass(frozen=True)
class Community:
    """What is known of a community.

    Attributes:
        posts: selected posts; `matured` of them have a settled score.
        median_score: of those that matured; None where there is none.
        subscribers: the newest count; None where none is known.
    """

    name: str
    posts: int
    matured: int
    median_score: float | None
    subscribers: int | None
    newest: datetime

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def communities(catalog: Catalog, settings: Settings, as_of: datetime) -> list[Community]:
    """Every community with a selected post that was known at a time, the best known first."""
    rows = read_known(catalog, settings, as_of, _COLUMNS)
    if not rows.num_rows:
        return []
    rows = rows.append_column("key", pc.utf8_lower(rows["subreddit"])).sort_by("created_at")
    keys = rows["key"].combine_chunks().dictionary_encode()
    code = keys.indices.to_numpy()
    order = np.argsort(code, kind="stable")
    ends = np.searchsorted(code[order], np.arange(len(keys.dictionary)), "right")
    score = rows["score"].to_numpy(zero_copy_only=False).astype(np.float64)
    counted = pc.coalesce(rows["label_subscribers"], rows["subscribers"])
    subscribers = counted.to_numpy(zero_copy_only=False).astype(np.float64)
    listed = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        mine = order[start:end]
        scores, known = score[mine], subscribers[mine]
        scores, known = scores[~np.isnan(scores)], known[~np.isnan(known)]
        newest = int(mine[-1])
        listed.append(
            Community(
                name=rows["subreddit"][newest].as_py(),
                posts=len(mine),
                matured=len(scores),
                median_score=float(np.median(scores)) if len(scores) else None,
                subscribers=int(known[-1]) if len(known) else None,
                newest=rows["created_at"][newest].as_py(),
            )
        )
    return sorted(listed, key=lambda one: (-one.matured, -one.posts, one.name.lower()))


def search(
    known: Sequence[Community], text: str, chosen: Sequence[str], most: int = 30
) -> list[Community]:
    """The chosen communities, then those whose name has the text in it, the best known first."""
    typed, taken = text.strip().lower().removeprefix("r/"), {name.lower() for name in chosen}
    first = [one for one in known if one.name.lower() in taken]
    rest = [one for one in known if typed in one.name.lower() and one.name.lower() not in taken]
    rest.sort(key=lambda one: not one.name.lower().startswith(typed))
    return [*first, *rest[:most]]
