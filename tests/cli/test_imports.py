"""Tables and dumps from the command line: what is read, and what bad ones are answered with."""

import json
import os
from pathlib import Path

from mmrl.catalog import Catalog
from tests.support.command import Run, is_one_sentence
from tests.support.dump_files import CREATED, dump, post


def test_a_table_of_which_nothing_can_be_used_shows_examples_and_ends_with_2(
    run: Run, tmp_path: Path
) -> None:
    rows = [f"a{n},A title,12,{'soon' if n else '9/8/2022'},Pics\n" for n in range(6)]
    path = tmp_path / "dates.csv"
    path.write_text("id,title,score,made,sub\n" + "".join(rows))
    home = tmp_path / "home"
    table = ("import", "table", path, "--map", "created_utc=made", "--home", home)
    said = run(*table)
    is_one_sentence(said, 2, "No row of dates.csv")
    assert "dates.csv:2 made is '9/8/2022', expected a date that tells" in said.err
    assert "dates.csv:3 made is 'soon', expected a time such as" in said.err
    assert "Next:" not in said.out
    kept = next((home / "refused").glob("*.csv"))
    assert str(kept) in said.err
    assert len(kept.read_text().splitlines()) == 7
    report = json.loads(run(*table, "--json").out)
    assert (report["new"], report["refused"]) == (0, {"bad_value": 6})
    status = run("status", "--home", home)
    assert "dates.csv:2 made is" in status.out
    assert run(*table, "--day-first").code == 0


def test_several_tables_patterns_and_taken_back_guesses_are_read(run: Run, tmp_path: Path) -> None:
    for name in "abc":
        content = f"id;title;score;created_utc;subreddit;image\n{name};T;1;{CREATED};Pics;x\n"
        (tmp_path / f"{name}.csv").write_text(content)
    home = ("--home", tmp_path / "home")
    said = run("import", "table", tmp_path / "[ab].csv", tmp_path / "c.csv", *home)
    assert (said.code, said.out.splitlines()[0]) == (0, "3 new posts")
    assert "separator = semicolon" in said.err
    assert "image = image" in said.err
    assert (
        "image = image"
        not in run("import", "table", tmp_path / "a.csv", "--map", "image=", *home).err
    )
    is_one_sentence(run("import", "table", tmp_path / "*.tsv", *home), 2, "*.tsv")


def test_an_arctic_shift_dump_and_api_objects_come_in_with_bad_lines_counted(
    run: Run, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    seen = {"retrieved_2nd_on": CREATED + 40 * 3600}
    shifted = post("aaa1", _meta=seen, retrieved_on=CREATED + 60)
    other = post("aaa2", subreddit="Else")
    file = dump(tmp_path / "RS.zst", shifted, other, '{"body": "a comment"}', "[1, 2]", "{broken")
    said = run("import", "dump", file, "--subreddit", "Pics", "--home", home, "--json")
    assert said.code == 0, said.err
    report = json.loads(said.out)
    assert (report["new"], report["outside"]) == (1, 1)
    assert sum(report["refused"].values()) >= 2
    listed = post("bbb1", name="t3_bbb1", author_fullname="t2_x1", subreddit_subscribers=5_000)
    api = dump(tmp_path / "t3.ndjson", {"kind": "t3", "data": listed}, post("bbb2", name="t3_bbb2"))
    assert run("import", "dump", api, "--home", home).code == 0
    kept = Catalog.open(home).read("posts", ["post_id"])["post_id"].to_pylist()
    assert {name.removeprefix("t3_") for name in kept} == {"aaa1", "bbb1", "bbb2"}


def test_a_bad_dump_is_one_sentence_and_what_was_kept_stays(run: Run, tmp_path: Path) -> None:
    home = ("--home", tmp_path / "home")
    good = dump(tmp_path / "good.ndjson", post("aaa1"))
    assert run("import", "dump", good, *home).code == 0
    noise = [post(f"n{number}", title=os.urandom(40).hex()) for number in range(2_000)]
    cut = dump(tmp_path / "cut.zst", *noise)
    cut.write_bytes(cut.read_bytes()[:-1_000])
    truncated = run("import", "dump", cut, *home)
    is_one_sentence(truncated, truncated.code, "cut.zst")
    assert truncated.code in (1, 2)
    none = run("import", "dump", good, "--subreddit", "Nowhere", *home)
    is_one_sentence(none, 2, "Nowhere")
    is_one_sentence(run("import", "dump", good, "--after", "soon", *home), 2, "soon")
    junk = dump(tmp_path / "junk.ndjson", "hello", "[]")
    is_one_sentence(run("import", "dump", junk, *home), 2, "junk.ndjson")
    assert Catalog.open(home[1]).count("posts", "post_id LIKE '%aaa1'") == 1
