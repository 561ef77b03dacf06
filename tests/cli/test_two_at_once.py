"""Several commands at once on one home: nothing is lost, nothing is there twice."""

import csv
from pathlib import Path

import pytest

from mmrl.catalog import Catalog
from tests.support.command import ending, start

AS_OF = "2026-06-01T00:00:00Z"


def table(folder: Path, name: str, first: int) -> Path:
    """A CSV of 300 posts; those from `first` on."""
    rows = [
        {
            "id": f"t{number}",
            "title": f"Post {number}",
            "subreddit": "pics",
            "created_utc": 1_760_000_000 + number,
            "score": number,
            "url": f"https://i.redd.it/{number}.jpg",
        }
        for number in range(first, first + 300)
    ]
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


IMPORT_A, IMPORT_B = ("import", "table", "a.csv"), ("import", "table", "b.csv")
FILTER, PURGE = ("run", "filter"), ("purge", "--post", "t3")


@pytest.mark.parametrize(
    ("commands", "posts"),
    [
        ((IMPORT_A, IMPORT_A), 300),
        ((IMPORT_A, IMPORT_B), 450),
        ((IMPORT_B, FILTER), 450),
        ((FILTER, FILTER), 300),
        ((("status",), IMPORT_B), 450),
        # A purge waits for a minute, until what others have begun is over.
        pytest.param((PURGE, IMPORT_B, FILTER), 449, marks=pytest.mark.slow),
    ],
    ids=lambda value: "+".join(words[0] for words in value) if isinstance(value, tuple) else None,
)
def test_commands_at_once_lose_and_double_nothing(
    tmp_path: Path, commands: tuple[tuple[str, ...], ...], posts: int
) -> None:
    files = {"a.csv": table(tmp_path, "a.csv", 0), "b.csv": table(tmp_path, "b.csv", 150)}
    home = tmp_path / "home"
    if IMPORT_A not in commands:
        assert ending(start("import", "table", files["a.csv"], "--home", home)).code == 0
    running = []
    for words in commands:
        given = [files.get(word, word) for word in words]
        at = () if words[0] in ("purge", "status") else ("--as-of", AS_OF)
        running.append(start(*given, "--home", home, *at))
    for process in running:
        answer = ending(process)
        assert answer.code == 0, answer.err
        assert "Traceback" not in answer.err
    catalog = Catalog.open(home)
    ids = catalog.read("posts", ["post_id"])["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == posts
    observed = catalog.read("observations", ["post_id", "observed_at"]).to_pylist()
    assert len({tuple(row.values()) for row in observed}) == len(observed) >= posts
    decided = catalog.read("selection", ["post_id"])["post_id"].to_pylist()
    assert len(set(decided)) == len(decided)
