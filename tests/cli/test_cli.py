"""The command line from end to end on a small home, and what bad input is answered with."""

import csv
import json
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from mmrl.catalog import Catalog
from tests.support.command import Answer, Run, is_one_sentence, process
from tests.support.dump_files import CREATED, dump, post
from tests.support.learning_samples import QUICK_TRAINING

POSTS = 90
IMAGE_FILES = 86  # the last four posts have none
LOOKED = CREATED + (POSTS + 3) * 86_400  # when the table's scores were taken
QUICK = {f"MMRL_TRAIN__{name.upper()}": str(value) for name, value in QUICK_TRAINING.items()}
QUICK |= {"MMRL_TRAIN__MIN_SAMPLES": "50", "COLUMNS": "80"}
HEADER = ["id", "title", "score", "created_utc", "subreddit", "author", "url", "subscribers"]


@pytest.fixture(autouse=True)
def _small_training(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)


def write_posts(folder: Path) -> tuple[Path, Path]:
    """A table of posts and the folder of their images."""
    draw = random.Random(7)
    images = folder / "images"
    images.mkdir()
    with (folder / "posts.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for number in range(POSTS):
            if number < IMAGE_FILES:
                image_file = Image.effect_noise((48, 36), 20 + number).convert("RGB")
                image_file.save(images / f"p{number}.jpg")
            score = int(draw.lognormvariate(4, 1))
            url = f"https://i.redd.it/p{number}.jpg" if number < IMAGE_FILES else "https://a.test/b"
            time = CREATED + number * 86_400
            row = [f"p{number}", f"Title {number}", score, time, "Pics", f"u{number % 9}"]
            table.writerow([*row, url, 100_000])
    return folder / "posts.csv", images


@dataclass(frozen=True)
class Finished:
    """A home after `import table` and `run`, and what the two said."""

    home: Path
    posts: Path
    images: Path
    imported: Answer
    ran: Answer


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("cli")
    posts, images = write_posts(folder)
    home = folder / "home"
    scored = ("--scores-as-of", LOOKED)
    imported = process(
        "import", "table", posts, "--images", images, "--home", home, *scored, **QUICK
    )
    ran = process("run", "--home", home, "--json", **QUICK)
    return Finished(home, posts, images, imported, ran)


def status_of(run: Run, home: Path) -> dict[str, dict[str, Any]]:
    said = run("status", "--home", home, "--json")
    assert said.code == 0
    return {row["stage"]: row for row in json.loads(said.out)["stages"]}


# The whole path


def test_an_import_shows_how_columns_were_read_and_what_to_do_next(finished: Finished) -> None:
    assert finished.imported.code == 0, finished.imported.err
    assert "score = score" in finished.imported.err
    assert f"{POSTS} new posts" in finished.imported.out
    assert f"Next: mmrl run --home {finished.home}" in finished.imported.out


def test_a_run_trains_and_publishes(finished: Finished) -> None:
    assert finished.ran.code == 0, finished.ran.err
    report = json.loads(finished.ran.out.splitlines()[-1])
    assert report["did_anything"]
    assert report["model_version"] == "1"
    page = Path(report["report"]).read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "r/Pics" in page or "Pics" in page


def test_status_accounts_for_every_post_and_agrees_with_the_tables(
    finished: Finished, run: Run
) -> None:
    rows = status_of(run, finished.home)
    catalog = Catalog.open(finished.home)
    assert rows["collect, import"]["done"] == catalog.count("posts") == POSTS
    for stage, given in (("filter", POSTS), ("fetch-images", rows["filter"]["done"])):
        row = rows[stage]
        dropped = sum(row["left_out"].values()) + sum(row["failed"].values())
        assert row["done"] + row["pending"] + dropped == given, row
    assert rows["fetch-images"]["failed"] == {"file_missing": POSTS - IMAGE_FILES}
    merged = rows["merge"]
    assert merged["done"] + merged["pending"] + sum(merged["left_out"].values()) == IMAGE_FILES
    assert rows["caption"]["done"] == catalog.count("captions") == IMAGE_FILES
    assert rows["train"]["done"] == 1
    assert all(not row["pending"] for row in rows.values())


def test_status_says_each_reason_in_words_within_80_columns(finished: Finished, run: Run) -> None:
    said = run("status", "--home", finished.home)
    assert "4  the image file is not in the given folder" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    assert "Simulated" not in said.out


def test_a_second_run_finds_nothing(finished: Finished, run: Run) -> None:
    said = run("run", "--home", finished.home)
    assert said.out == "Nothing new: every stage is up to date.\n"


def test_models_are_listed_and_shown(finished: Finished, run: Run) -> None:
    listed = json.loads(run("models", "list", "--home", finished.home, "--json").out)
    assert [(model["version"], model["champion"]) for model in listed] == [("1", True)]
    shown = json.loads(run("models", "show", "latest", "--home", finished.home, "--json").out)
    assert sum(shown["splits"][part]["posts"] for part in ("train", "validation", "test")) > 50
    assert run("models", "compare", "1", "latest", "--home", finished.home).code == 0
    latex = run("models", "show", "--format", "latex", "--home", finished.home)
    assert latex.code == 0, latex.err
    assert r"\begin{tabular}" in latex.out
    assert r"\toprule" in latex.out


def test_a_prediction_lies_inside_its_interval(finished: Finished, run: Run) -> None:
    image_file = finished.images / "p1.jpg"
    draft = ("predict", image_file, "--title", "A lake", "--home", finished.home, "--json")
    as_of = ("--as-of", LOOKED + 3_600)
    found = json.loads(run(*draft, "--subreddit", "r/Pics", *as_of).out)
    assert set(found) == {
        *("title", "subreddit", "posted_at", "model_version", "score", "popularity"),
        *("percentile", "removal", "caption", "caption_kind", "simulated", "notes"),
    }
    assert (found["subreddit"], found["model_version"]) == ("Pics", "1")
    assert found["simulated"] is False
    for name in ("score", "popularity", "percentile"):
        assert found[name]["low"] <= found[name]["middle"] <= found[name]["high"]
    assert found["popularity"]["middle"] == pytest.approx(found["score"]["middle"] / 100)
    unseen = json.loads(run(*draft, "--subreddit", "r/Elsewhere", *as_of).out)
    assert unseen["popularity"] is None
    assert any("r/Elsewhere" in note and "never seen" in note for note in unseen["notes"])


# Bad input: a finished home stays as it is


def test_what_does_not_exist_is_named(finished: Finished, run: Run, tmp_path: Path) -> None:
    home = ("--home", finished.home)
    broken, text = tmp_path / "broken.jpg", tmp_path / "text.jpg"
    text.write_text("no image")
    broken.write_bytes((finished.images / "p1.jpg").read_bytes()[:200])
    titled = ("--title", "t", "--subreddit", "Pics", *home)
    before = Catalog.open(finished.home).versions()
    is_one_sentence(run("models", "show", "99", *home), 2, "99", "mmrl models list")
    is_one_sentence(run("models", "compare", "1", "99", *home), 2, "99")
    is_one_sentence(run("models", "promote", "99", *home), 2, "99")
    is_one_sentence(run("report", "99", *home), 2, "99")
    is_one_sentence(run("run", "bogus", *home), 2, "bogus", "filter")
    is_one_sentence(run("run", "--as-of", "yesterday", *home), 2, "yesterday", "2026-11-22")
    is_one_sentence(run("predict", tmp_path / "none.jpg", *titled), 2, "none.jpg")
    is_one_sentence(run("predict", text, *titled), 2, "text.jpg", "not an image")
    is_one_sentence(run("predict", broken, *titled), 2, "broken.jpg", "broken")
    image_file = finished.images / "p1.jpg"
    empty = ("--title", " ", "--subreddit", "Pics", *home)
    is_one_sentence(run("predict", image_file, *empty), 2, "title")
    is_one_sentence(run("predict", image_file, *titled, "--model", "7"), 2, "7")
    is_one_sentence(run("collect", *home), 2, "praw.ini", "client_id")
    assert Catalog.open(finished.home).versions() == before


def test_a_bad_table_is_refused_and_what_was_kept_stays(
    finished: Finished, run: Run, tmp_path: Path
) -> None:
    home = ("--home", finished.home)
    short = tmp_path / "short.csv"
    short.write_text("id,score\na,1\n")
    table = ("import", "table", finished.posts, *home)
    is_one_sentence(run("import", "table", short, *home), 2, "title", "created_utc")
    is_one_sentence(run(*table, "--images", tmp_path / "none"), 2, "none", "--images")
    is_one_sentence(run(*table, "--images", short), 2, "short.csv", "--images")
    is_one_sentence(run(*table, "--map", "bogus"), 2, "bogus", "FIELD=COLUMN")
    is_one_sentence(run(*table, "--map", "score=nowhere"), 2, "nowhere")
    is_one_sentence(run("import", "table", tmp_path / "no.csv", *home), 2, "no.csv")
    assert Catalog.open(finished.home).count("posts") == POSTS


def test_a_home_without_a_model_says_to_train_one(
    finished: Finished, run: Run, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    assert run("init", home).code == 0
    draft = ("predict", finished.images / "p1.jpg", "--title", "t", "--subreddit", "Pics")
    is_one_sentence(run(*draft, "--home", home), 2, "mmrl train")
    is_one_sentence(run("report", "--home", home), 2, "mmrl train")
    assert "No model was trained yet" in run("models", "list", "--home", home).out
    assert "Next: mmrl import table" in run("status", "--home", home).out


def test_a_home_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    is_one_sentence(run("status", "--home", tmp_path / "none"), 2, "mmrl init")
    is_one_sentence(run("status", "--home", file), 2, "is a file")
    is_one_sentence(run("init", file), 2, "is a file")
    (tmp_path / "posts.csv").write_text("id,title,score,created_utc,subreddit\n")
    is_one_sentence(run("import", "table", tmp_path / "posts.csv", "--home", file), 2, "is a file")
    assert file.read_text() == "x"


def test_a_newer_home_and_an_unknown_setting_are_named(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    run("init", home)
    (home / "mmrl.toml").write_text("[train]\nsed = 1\n")
    is_one_sentence(run("run", "--home", home), 2, "train.sed", "mmrl.toml")
    (home / "mmrl.toml").write_text("")
    newer = pa.table({"name": ["format"], "value": ["99"]})
    Catalog.open(home).upsert("meta", newer)
    is_one_sentence(run("run", "--home", home), 2, "newer mmrl", "update")


@pytest.mark.slow
def test_a_full_disk_ends_with_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs mount")
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        good = dump(tmp_path / "good.ndjson", post("aaa1"))
        assert process("import", "dump", good, "--home", disk / "home", **QUICK).code == 0
        big = [post(f"n{number}", title=os.urandom(100).hex()) for number in range(9_000)]
        much = dump(tmp_path / "much.ndjson", *big)
        is_one_sentence(
            process("import", "dump", much, "--home", disk / "home", **QUICK), 1, "full"
        )
        assert Catalog.open(disk / "home").count("posts", "post_id LIKE '%aaa1'") == 1
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_doctor_fails_only_on_what_stops_the_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    missing = run("doctor", "--home", home, "--json")
    states = {found["what"]: found for found in json.loads(missing.out)}
    assert missing.code == 1
    assert states["home"]["state"] == "wrong"
    assert "mmrl init" in states["home"]["mend"]
    run("init", home)
    made = run("doctor", "--home", home, "--json")
    states = {found["what"]: found for found in json.loads(made.out)}
    assert states["home"]["state"] == "ok"
    assert states["Reddit credentials"]["state"] == "missing"
    assert made.code == any(found["state"] == "wrong" for found in states.values())
    assert "[mmrl]" in " ".join(run("doctor", "--home", home).out.split())
    (home / "mmrl.toml").write_text("[train]\nsed = 1\n")
    assert run("doctor", "--home", home).code == 1


@pytest.mark.slow
def test_every_command_has_a_help(run: Run) -> None:
    from mmrl.cli.app import COMMANDS

    shown = run("--help").out
    assert all(command.name in shown for command in COMMANDS)
    for command in COMMANDS:
        helped = run(command.name, "--help")
        assert helped.code == 0
        assert f"mmrl {command.name} " in helped.out
