"""Exports: what they hold, in each format, right in time, and what their cards say."""

import csv
import io
import json
import tarfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image

import mmrl
from mmrl.catalog.columns import COLOURS
from mmrl.catalog.tables import SCHEMAS
from mmrl.errors import InputError
from mmrl.export.cards import _learned
from mmrl.export.contents import CONTENTS, VECTOR
from mmrl.export.writers import CsvFile
from mmrl.learning.registry.version import Shown
from mmrl.times import iso
from tests.support.filled_home import SAMPLES, fill_posts, fill_samples, packaged_samples
from tests.support.learning_samples import AS_OF, START
from tests.support.report_factory import make_evaluation

POSTS = 60
EARLY = START + timedelta(days=30)  # half of the posts


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (number, 100, 50)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> mmrl.Home:
    """A home of 60 samples with vectors, posts, images and two predictions."""
    folder = tmp_path_factory.mktemp("export") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMRL_FILTER__REQUIRE_IMAGE", "false")
        home = mmrl.open(folder, create=True, quiet=True)
    samples = packaged_samples(POSTS)
    fill_samples(home.catalog, samples)
    ids = samples["post_id"].to_pylist()
    fill_posts(home.catalog, samples)
    there = samples.filter(samples["image"].is_valid())["post_id"].to_pylist()
    images = [
        {
            "sha256": f"image-{post_id}",
            "width": 20,
            "height": 20,
            "format": "PNG",
            "byte_size": len(png(number)),
            "phash": "0" * 16,
            "bytes": png(number),
        }
        for number, post_id in enumerate(there)
    ]
    home.catalog.upsert("images", pa.Table.from_pylist(images, schema=SCHEMAS["images"]))
    predictions = [
        {
            "post_id": post_id,
            "model_version": "1",
            "predicted_at": at,
            "age_hours": 1.0,
            "q10": 1.0,
            "q50": 2.0,
            "q90": 3.0,
            "unit": "log_score",
        }
        for post_id, at in ((ids[0], EARLY), (ids[1], AS_OF))
    ]
    home.catalog.upsert(
        "predictions", pa.Table.from_pylist(predictions, schema=SCHEMAS["predictions"])
    )
    return home


def test_samples_are_those_of_the_home_in_each_format(home: mmrl.Home, tmp_path: Path) -> None:
    own = home.samples(as_of=AS_OF).table
    place = own.schema.get_field_index(COLOURS)
    own = own.set_column(place, COLOURS, own[COLOURS].cast(VECTOR))
    for form in ("parquet", "csv", "hf", "webdataset"):
        assert home.export("samples", tmp_path / form, format=form, as_of=AS_OF).rows == POSTS
    assert pq.read_table(tmp_path / "parquet" / "samples-00000.parquet").equals(own)
    assert pq.read_table(tmp_path / "hf" / "data" / "train-00000.parquet").equals(own)
    read = pyarrow.csv.read_csv(tmp_path / "csv" / "samples.csv")
    assert read["post_id"].to_pylist() == own["post_id"].to_pylist()
    assert np.allclose(read["log_score"], own["log_score"])
    with tarfile.open(tmp_path / "webdataset" / "samples-000000.tar") as tar:
        first = json.load(tar.extractfile(tar.next()))  # type: ignore[arg-type]
    assert first["post_id"] == own["post_id"][0].as_py()


def test_a_csv_begins_no_formula_and_its_texts_come_back_whole(tmp_path: Path) -> None:
    titles = ["=1+1", "+1", "-1", "@x", "\tx", "'Tis", "''", "a = b", None, ""]
    with CsvFile(tmp_path, "samples") as file:
        file.write(pa.table({"title": titles, "score": [-1.0] * len(titles)}))
    rows = list(csv.DictReader((tmp_path / "samples.csv").open(newline="")))
    assert not [row["title"] for row in rows if row["title"].startswith(tuple("=+-@\t"))]
    read = [row["title"].removeprefix("'") for row in rows]
    assert read == [title or "" for title in titles]
    assert {row["score"] for row in rows} == {"-1"}


def test_vectors_are_those_of_the_posts(home: mmrl.Home, tmp_path: Path) -> None:
    home.export("vectors", tmp_path / "v", as_of=AS_OF)
    read = pq.read_table(tmp_path / "v" / "vectors-00000.parquet")
    own = home.samples(as_of=AS_OF, vectors=True).table
    for space in ("title", "image", "caption", "visual"):
        assert read[space].null_count == own[space].null_count
        assert read[space].to_pylist() == own[space].to_pylist()
    home.export("vectors", tmp_path / "w", format="webdataset", as_of=AS_OF)
    with tarfile.open(tmp_path / "w" / "vectors-000000.tar") as tar:
        name = f"{own['post_id'][0].as_py()}.title.npy"
        vector = np.load(io.BytesIO(tar.extractfile(name).read()))  # type: ignore[union-attr]
    assert np.array_equal(vector, own["title"][0].values.to_numpy())


def test_a_dataset_of_images_is_loaded_by_datasets(
    home: mmrl.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    exported = home.export("images", tmp_path / "images", format="hf", as_of=AS_OF)
    loaded = datasets.load_dataset(str(exported.folder), cache_dir=str(tmp_path / "cache"))
    rows = loaded["train"]
    assert len(rows) == exported.rows == home.catalog.count("images")
    assert rows[0]["image"].size == (20, 20)
    assert rows[0]["title"].startswith('Title, "of p0_')


def test_images_in_tars_lie_beside_their_facts(home: mmrl.Home, tmp_path: Path) -> None:
    home.export("images", tmp_path / "t", format="webdataset", as_of=AS_OF)
    with tarfile.open(tmp_path / "t" / "images-000000.tar") as tar:
        names = tar.getnames()
        key = names[0].removesuffix(".png")
        assert names[:2] == [f"{key}.png", f"{key}.json"]
        assert Image.open(tar.extractfile(names[0])).size == (20, 20)  # type: ignore[arg-type]
        assert json.load(tar.extractfile(names[1]))["post_id"] == key  # type: ignore[arg-type]


def test_nothing_is_exported_that_was_not_known_then(home: mmrl.Home, tmp_path: Path) -> None:
    for content in ("samples", "vectors", "images"):
        home.export(content, tmp_path / content, as_of=EARLY)
        read = pq.read_table(tmp_path / content / f"{content}-00000.parquet")
        assert 0 < read.num_rows < POSTS
        assert max(read["created_at"].to_pylist()) < EARLY
    home.export("predictions", tmp_path / "p", as_of=EARLY)
    read = pq.read_table(tmp_path / "p" / "predictions-00000.parquet")
    assert read.num_rows == 1
    assert read["score"][0].as_py() is not None
    young = EARLY - timedelta(hours=36)
    samples = pq.read_table(tmp_path / "samples" / "samples-00000.parquet").to_pylist()
    assert all(row["score"] is None for row in samples if row["created_at"] > young)


def test_the_card_counts_and_says_how_to_purge(home: mmrl.Home, tmp_path: Path) -> None:
    exported = home.export("samples", tmp_path / "out", format="hf", as_of=AS_OF)
    card = (exported.folder / "README.md").read_text()
    assert card.startswith("---\nlicense: other")
    assert f"- {POSTS} rows" in card
    assert f"- {POSTS} with a label" in card
    assert "table 60" in card  # posts by source
    assert "## Purging" in card
    assert home.settings.profile == "packaged"
    assert "all-MiniLM-L6-v2@" in card
    manifest = json.loads((exported.folder / "export.json").read_text())
    assert manifest["command"] in card
    assert manifest["rows"] == POSTS


def test_only_an_earlier_export_is_replaced(home: mmrl.Home, tmp_path: Path) -> None:
    home.export("samples", tmp_path / "out", as_of=AS_OF)
    home.export("samples", tmp_path / "out", format="csv", as_of=AS_OF)
    assert not list((tmp_path / "out").glob("*.parquet"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(InputError, match="something else than an export"):
        home.export("samples", tmp_path / "mine", as_of=AS_OF)
    assert (tmp_path / "mine" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("what", "form", "message"),
    [
        ("posts", "csv", "give one of samples, vectors"),
        ("vectors", "csv", "give --format one of parquet, hf"),
        ("samples", "xls", "give --format one of"),
    ],
)
def test_what_can_t_be_exported_is_refused(
    home: mmrl.Home, tmp_path: Path, what: str, form: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        home.export(what, tmp_path / "out", format=form)
    assert not (tmp_path / "out").exists()


def test_an_empty_home_gives_empty_files(tmp_path: Path) -> None:
    home = mmrl.open(tmp_path / "home", create=True, quiet=True)
    home.catalog.compact()
    for content in CONTENTS:
        if content.name != "evaluation":
            assert home.export(content.name, tmp_path / content.name, as_of=AS_OF).rows == 0


@pytest.mark.slow
def test_an_evaluation_comes_with_its_model_s_card(trained_home: Path, tmp_path: Path) -> None:
    home = mmrl.open(trained_home, quiet=True)
    exported = home.export("evaluation", tmp_path / "e", format="csv", as_of=AS_OF)
    shown = home.models["champion"]
    assert exported.rows == shown.evaluation.splits.test.posts
    card = (exported.folder / "MODEL_CARD.md").read_text()
    for expected in ("model-index", "## For what it is no good", shown.evaluation.verdict):
        assert expected in card
    assert json.loads((exported.folder / "evaluation.json").read_text())["format"] == 1
    assert SAMPLES.num_rows > exported.rows


def test_a_model_s_card_lists_the_earlier_blocks_of_test_posts_of_a_small_set() -> None:
    evaluation = make_evaluation()
    splits = replace(evaluation.splits, earlier_tests=[evaluation.splits.validation])
    shown = Shown(
        *("1", "run", "2026-10-10T00:00:00Z", True, {}, {}, 570, ""),
        evaluation=replace(evaluation, splits=splits),
    )
    part = splits.validation
    expected = f"of a model fitted for it: 170 posts of {iso(part.start)} to {iso(part.end)}"
    assert expected in _learned(shown, (0, 0))
