"""The list of sources: what a mark says of a post, and what follows an entry of the list."""

from pathlib import Path
from typing import get_args

import pytest

from mmrl.catalog import Catalog
from mmrl.cli.import_ import app
from mmrl.config import SourceSettings
from mmrl.sources import kinds
from mmrl.sources.kinds import DUMP, FILES, KINDS, LIVE, REDDIT, SANDBOX, TABLE
from tests.support.purge_home import keep, make_post

MARKS = {
    "reddit": REDDIT,
    "sandbox": SANDBOX,
    "dump:RS_2024-01.zst": DUMP,
    "table:reddit.csv": TABLE,
}


def test_each_mark_is_of_one_kind() -> None:
    for mark, kind in MARKS.items():
        assert [one for one in KINDS if one.of(mark)] == [kind]
    assert not any(kind.of(mark) for kind in KINDS for mark in ("redditor", "dump", "tables:a", ""))


def test_the_setting_of_the_live_source_names_every_live_source() -> None:
    allowed = get_args(SourceSettings.model_fields["live"].annotation)
    assert set(allowed) == {kind.name for kind in LIVE}


def test_a_files_posts_are_marked_with_its_name() -> None:
    assert DUMP.mark(Path("/data/RS_2024-01.zst")) == "dump:RS_2024-01.zst"
    assert TABLE.mark(Path("posts.csv")) == "table:posts.csv"


def test_only_a_tables_posts_may_name_files() -> None:
    allowed = [
        mark for mark in [*MARKS, "another", "another:table:x"] if kinds.may_name_files(mark)
    ]
    assert allowed == ["table:reddit.csv"]


def test_filters_of_posts_find_the_kinds_they_are_for(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "home", create=True)
    posts = {mark: make_post() for mark in MARKS}
    for mark, post in posts.items():
        keep(catalog, [post], source=mark)

    def found(where: str) -> set[str]:
        ids = set(catalog.read("posts", ["post_id"], where)["post_id"].to_pylist())
        return {mark for mark, post in posts.items() if post.post_id in ids}

    assert found(kinds.SIMULATED) == {"sandbox"}
    assert found(f"NOT {kinds.SIMULATED}") == set(MARKS) - {"sandbox"}
    assert found(kinds.ANSWERED) == {"reddit", "sandbox", "dump:RS_2024-01.zst"}
    assert found(kinds.known_to("reddit")) == {"reddit", "dump:RS_2024-01.zst"}
    assert found(kinds.known_to("sandbox")) == {"sandbox"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("RS_2024-01.zst", DUMP), ("RS_2024-01", DUMP), ("posts.jsonl", DUMP)),
        *(("posts.csv", TABLE), ("posts.tsv.zst", TABLE), ("posts.parquet", TABLE)),
    ],
)
def test_a_file_is_recognised_by_its_name(name: str, kind: kinds.Kind) -> None:
    assert kinds.recognised(Path(name)) == kind


def test_each_kind_of_file_has_a_reader_and_a_command() -> None:
    commands = {command.name for command in app.registered_commands}
    assert commands == {kind.name for kind in FILES}
    for kind in FILES:
        assert callable(kind.load_reader().of_file)
