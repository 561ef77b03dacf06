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
Looks = list[tuple[float, str | None]]  # hours, and what removed it
LOOKS: dict[str, Looks] = {
    "stayed": [(1, None), (40, None)],
    "removed": [(1, None), (6, "moderator"), (40, "moderator")],
    "filtered_at_once": [(1, "automod_filtered"), (40, "automod_filtered")],
    "not_seen_again": [(1, "moderator")],
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


def fill(catalog: Catalog, told: dict[str, tuple[float, Looks]] | None = None) -> None:
    """Posts by name, each with its hours after `UP` and its looks; those of `LOOKS` for None."""
    if told is None:
        told = {name: (0, looks) for name, looks in LOOKS.items()}
        told |= dict.fromkeys(("unreadable", "flair_later"), (0, LOOKS["removed"]))
    base: dict[str, Any] = {"over_18": False, "spoiler": False, "author_name": "Ann"}
    base |= {"is_gallery": False, "is_video": False, "source": "reddit", "subreddit": "pics"}
    base |= {"flair": "OC"}
    posts, seen = [], []
    for name, (up, looks) in told.items():
        created = UP + timedelta(hours=up)
        first = created + timedelta(hours=looks[0][0] if looks else 1)
        title = "[removed]" if name == "unreadable" else f"A {name}"
        posts.append(
            {**base, "post_id": name, "title": title, "created_at": created, "first_seen_at": first}
        )
        if name == "flair_later":
            posts[-1]["flair_known_at"] = UP + timedelta(hours=9)
        seen += [
            {"post_id": name, "observed_at": created + timedelta(hours=hours), "removed_by": by}
            for hours, by in looks
        ]
    for table, rows in (("posts", posts), ("observations", [{**row, "score": 1} for row in seen])):
        catalog.upsert(table, pa.Table.from_pylist(rows, schema=SCHEMAS[table]))


def fates(catalog: Catalog, hours: float) -> dict[str, bool]:
    rows = posts_with_fates(catalog, Settings(), UP + timedelta(hours=hours))
    return dict(zip(rows["post_id"].to_pylist(), rows["removed"].to_pylist(), strict=True))


def test_removed_or_stayed_is_told_by_looks_at_the_maturity_age(catalog: Catalog) -> None:
    assert fates(catalog, 39) == {}  # though removals were seen
    removed = {"removed": True, "filtered_at_once": True, "flair_later": True}
    later = {**removed, "given_back": False, "stayed": False, "removed_late": False}
    assert fates(catalog, 50) == later
    assert fates(catalog, 1000) == {**later, "removed_late": True, "imported": False}


@pytest.mark.parametrize("seen_at", [1, 36])
def test_the_newest_posts_are_no_oftener_removed_however_early_removals_are_seen(
    tmp_path: Path, seen_at: float
) -> None:
    catalog = Catalog.open(tmp_path / "home", create=True)
    every_fifth = [number % 5 == 0 for number in range(200)]  # a post an hour
    fill(
        catalog,
        {
            f"p{number:03}": (
                number,
                [
                    (hours, "moderator" if gone and hours >= seen_at else None)
                    for hours in (1, 6, 36)
                ],
            )
            for number, gone in enumerate(every_fifth)
        },
    )
    known = posts_with_fates(catalog, Settings(), UP + timedelta(hours=150, minutes=1))
    assert known["removed"].to_pylist() == every_fifth[:115]  # those that are 36 hours old


def test_what_is_known_and_since_when(catalog: Catalog) -> None:
    rows = posts_with_fates(catalog, Settings(), UP + timedelta(hours=1000)).to_pylist()
    known = {row["post_id"]: row["known"] / 3.6e9 - UP.timestamp() / 3600 for row in rows}
    assert known["removed"] == pytest.approx(40)
    assert known["removed_late"] == pytest.approx(90)
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
    assert fates(catalog, 24 * 8 + 1) == {}
    assert fates(catalog, 100) == {}  # they were erased since, and those that stayed were not


def test_what_authors_deleted_and_mmrl_erased_leaves_the_others(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "home", create=True)
    fill(catalog)
    rows = [{"day": "2026-03-01", "reason": "deleted", "posts": 3}]
    catalog.upsert("purged", pa.Table.from_pylist(rows, schema=SCHEMAS["purged"]))
    assert fates(catalog, 100)
