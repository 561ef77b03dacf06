"""Fates of posts: removed or stayed, as known at a time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.samples.removals import posts_with_fates

UP = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOOKS: dict[str, list[tuple[float, str | None]]] = {  # hours, and what removed it
    "stayed": [(1, None), (40, None)],
    "removed": [(1, None), (6, "moderator"), (40, "moderator")],
    "filtered_at_once": [(1, "automod_filtered")],
    "given_back": [(1, None), (6, "reddit"), (40, None)],
    "removed_late": [(1, None), (40, None), (90, "moderator")],
    "too_young": [(1, None), (20, None)],
    "deleted": [(1, None), (6, "deleted")],
    "gone": [(1, None), (40, "absent")],
    "imported": [(900, None)],
    "never_seen": [],
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog.open(tmp_path_factory.mktemp("removals") / "home", create=True)
    fill(catalog)
    return catalog


def fill(catalog: Catalog) -> None:
    base: dict[str, Any] = {"created_at": UP, "over_18": False, "spoiler": False}
    base |= {"is_gallery": False, "is_video": False, "source": "reddit", "subreddit": "pics"}
    posts = [
        {**base, "post_id": name, "title": f"A {name}", "author_name": "Ann", "flair": "OC",
         "first_seen_at": UP + timedelta(hours=looks[0][0] if looks else 1)}
        for name, looks in LOOKS.items()
    ]  # fmt: skip
    posts.append({**posts[1], "post_id": "unreadable", "title": "[removed]"})
    posts.append({**posts[1], "post_id": "flair_later", "flair_known_at": UP + timedelta(hours=9)})
    of_more = {"unreadable": LOOKS["removed"], "flair_later": LOOKS["removed"]}
    seen = [
        {"post_id": name, "observed_at": UP + timedelta(hours=hours), "removed_by": by, "score": 1}
        for name, looks in {**LOOKS, **of_more}.items()
        for hours, by in looks
    ]
    for table, rows in (("posts", posts), ("observations", seen)):
        catalog.upsert(table, pa.Table.from_pylist(rows, schema=SCHEMAS[table]))


def fates(catalog: Catalog, hours: float) -> dict[str, bool]:
    rows = posts_with_fates(catalog, Settings(), UP + timedelta(hours=hours))
    return dict(zip(rows["post_id"].to_pylist(), rows["removed"].to_pylist(), strict=True))


def test_a_removal_counts_from_when_a_look_saw_it_and_staying_from_the_maturity_age(
    catalog: Catalog,
) -> None:
    assert fates(catalog, 0.5) == {}
    assert fates(catalog, 2) == {"filtered_at_once": True}
    assert fates(catalog, 7) == {
        "removed": True, "filtered_at_once": True, "given_back": True, "flair_later": True
    }  # fmt: skip
    later = {**fates(catalog, 7), "given_back": False, "stayed": False, "removed_late": False}
    assert fates(catalog, 50) == later
    assert fates(catalog, 1000) == {**later, "removed_late": True, "imported": False}


def test_what_is_known_and_since_when(catalog: Catalog) -> None:
    rows = posts_with_fates(catalog, Settings(), UP + timedelta(hours=1000)).to_pylist()
    known = {row["post_id"]: row["known"] / 3.6e9 - UP.timestamp() / 3600 for row in rows}
    assert known["removed"] == pytest.approx(6)
    assert known["stayed"] == pytest.approx(40)
    assert known["imported"] == pytest.approx(36)
    flairs = {row["post_id"]: row["flair"] for row in rows}
    assert flairs["removed"] == "OC"
    assert flairs["flair_later"] is None
    assert {row["author"] for row in rows} == {"u/ann"}


def test_posts_that_went_up_before_removed_ones_were_erased_tell_nothing(
    tmp_path: Path,
) -> None:
    catalog = Catalog.open(tmp_path / "home", create=True)
    fill(catalog)
    rows = [
        {"day": "2026-03-01", "reason": "deleted", "posts": 3},  # no moderator's doing
        {"day": "2026-03-09", "reason": "moderator", "posts": 1},
    ]
    catalog.upsert("purged", pa.Table.from_pylist(rows, schema=SCHEMAS["purged"]))
    assert fates(catalog, 100)
    assert fates(catalog, 24 * 8 + 1) == {}
