"""A home made by an earlier mmrl still runs, predicts, reports and purges."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmrl.catalog import Catalog
from mmrl.images.measures.quality import VERSION
from tests.support.command import printed_by
from tests.support.earlier_home import AS_OF, train_variables, unpack_earlier_home

pytestmark = pytest.mark.slow

LATER = "2026-08-12T21:00:00Z"

Run = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    unpack_earlier_home(home)
    return home


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the home and returns what it printed."""
    for name, value in train_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MMRL_PURGE__SETTLE_SECONDS", "0")

    return lambda *arguments: printed_by(capsys, *arguments, "--home", home)


def first_image(home: Path, folder: Path) -> Path:
    images = Catalog.open(home).read("images", ["sha256", "bytes"]).sort_by("sha256")
    path = folder / "image.jpg"
    path.write_bytes(images["bytes"][0].as_py())
    return path


def test_its_champion_predicts_what_it_predicted_then(home: Path, run: Run, tmp_path: Path) -> None:
    image_file = first_image(home, tmp_path)
    titled = ("--title", "A quiet harbour at dawn", "--subreddit", "SimPics")
    said = json.loads(run("predict", image_file, *titled, "--as-of", AS_OF, "--json"))
    assert said["model_version"] == "1"
    assert said["simulated"]
    # Another processor's vectors differ in their last digits, and trees have thresholds.
    assert said["score"] == pytest.approx({"low": 7.608, "middle": 82.81, "high": 727.3}, rel=0.1)


def test_its_models_and_reports_are_read(home: Path, run: Run) -> None:
    listed: list[dict[str, Any]] = json.loads(run("models", "list", "--json"))
    assert [model["version"] for model in listed] == ["1"]
    assert listed[0]["champion"]
    shown = json.loads(run("models", "show", "1", "--json"))
    assert shown["models"]["mmrl"]["metrics"]["spearman"]["value"] == pytest.approx(
        0.404, abs=0.001
    )
    (home / "reports" / "1.html").unlink()
    run("report")
    page = (home / "reports" / "1.html").read_text(encoding="utf-8")
    assert "Noise ceiling" in page


def test_what_newer_code_does_otherwise_is_done_again_once_and_a_model_learns_from_that(
    home: Path, run: Run
) -> None:
    def decisions() -> list[dict[str, Any]]:
        rows = Catalog.open(home).read("selection", ["post_id", "reason"])
        return rows.sort_by("post_id").to_pylist()

    def pending() -> dict[str, int]:
        report = json.loads(run("run", "--as-of", AS_OF, "--json"))
        return {stage["stage"]: stage["pending"] for stage in report["stages"] if stage["pending"]}

    before = decisions()
    shown = Catalog.open(home).read("post_images", ["post_id", "sha256"]).to_pylist()
    kept = {row["post_id"] for row in before if row["reason"] is None}
    images = {row["sha256"] for row in shown if row["post_id"] in kept}
    labelled = Catalog.open(home).count("samples", "label_observed_at IS NOT NULL")
    assert pending() == {
        "filter": len(before),
        "measure-images": len(images),
        "merge": len(images),
        "train": labelled,
        "publish": 1,
    }
    assert decisions() == before
    shown = json.loads(run("models", "show", "2", "--json"))
    assert shown["encoders"]["image_statistics"] == VERSION
    assert "image_statistics" not in json.loads(run("models", "show", "1", "--json"))["encoders"]
    assert pending() == {}


def test_new_posts_go_through_every_stage_and_a_purge_erases_them(
    home: Path, run: Run, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.effect_noise((64, 48), 60).convert("RGB").save(images / "new1.jpg")
    with (tmp_path / "posts.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "title", "score", "created_utc", "subreddit", "author", "url"])
        posted = "2026-08-09T12:00:00Z"
        table.writerow(["new1", "A red bicycle", 31, posted, "SimPics", "someone", "new1.jpg"])
    run("import", "table", tmp_path / "posts.csv", "--images", images, "--as-of", AS_OF)
    earlier_samples = Catalog.open(home).count("samples")
    report = json.loads(run("run", "--as-of", LATER, "--json"))
    done = {stage["stage"]: stage["done"] for stage in report["stages"]}
    assert done["merge"] == 1 + earlier_samples  # those are made again by newer code
    assert report["model_version"] == "2"
    catalog = Catalog.open(home)
    assert catalog.count("samples", "post_id = 'new1'") == 1
    run("purge", "--post", "new1")
    for name in ("posts", "samples", "selection", "post_images", "observations"):
        assert Catalog.open(home).count(name, "post_id = 'new1'") == 0
    earlier = catalog.read("samples", ["post_id"])["post_id"][0].as_py()
    run("purge", "--post", earlier)
    assert Catalog.open(home).count("posts", f"post_id = '{earlier}'") == 0
