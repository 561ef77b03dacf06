"""A home with a broken file says so in a sentence, and `mmrl repair` brings it back to work."""

import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.catalog.generation import generation
from mmrl.catalog.tables import SCHEMAS
from mmrl.cli.app import app
from mmrl.errors import CatalogError, MmrlError
from mmrl.learning.registry.registry import Registry
from mmrl.soundness import check
from tests.support.earlier_home import unpack_earlier_home


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def scramble(file: Path) -> None:
    file.write_bytes(random.Random(7).randbytes(file.stat().st_size))


def remove(file: Path) -> None:
    file.unlink()


Harm = Callable[[Path], None]
HARMS = (cut, *(pytest.param(harm, marks=pytest.mark.slow) for harm in (empty, scramble, remove)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    unpack_earlier_home(tmp_path / "home")
    return tmp_path / "home"


def one(home: Path, pattern: str) -> Path:
    found = sorted(home.glob(pattern))
    assert found, pattern
    return found[0]


def repaired(home: Path) -> list[dict[str, object]]:
    result = CliRunner().invoke(app, ["repair", "--home", str(home), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    rows: list[dict[str, object]] = json.loads(result.output)
    return rows


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize(
    "file", ["model.json", "network.keras", "trees.cbm", "projections.npz", "evaluation.json"]
)
def test_a_version_with_a_broken_file_is_told_by_a_sentence_and_taken_off_the_list(
    home: Path, harm: Harm, file: str
) -> None:
    harm(one(home, f"models/*/artifacts/model/{file}"))
    registry = Registry(home)
    reading = registry.show if file == "evaluation.json" else registry.load
    with pytest.raises(MmrlError, match="mmrl repair"):
        reading("1")
    assert [row["what"] for row in repaired(home)] == ["model version 1"]
    assert Registry(home).list() == []
    assert list(check(home)) == []


@pytest.mark.parametrize("harm", HARMS)
def test_a_broken_list_of_models_is_made_again_from_their_files(home: Path, harm: Harm) -> None:
    def copy(name: str) -> Registry:  # MLflow keeps a file open that it has read once
        return Registry(shutil.copytree(home, home.parent / name))

    before = copy("before").show("1")
    harm(home / "mlflow.db")
    with pytest.raises(CatalogError, match=r"mlflow\.db.*mmrl repair"):
        copy("broken").list()
    assert [row["what"] for row in repaired(home)] == ["mlflow.db"]
    after = copy("after").show("champion")
    assert after.version == "1"
    assert after.evaluation == before.evaluation
    assert after.metrics == before.metrics
    assert list(check(home.parent / "after")) == []


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("table", ["samples", "captions", "embeddings_title_384", "selection"])
def test_a_table_that_is_made_by_a_stage_loses_its_broken_file_and_opens(
    home: Path, harm: Harm, table: str
) -> None:
    harm(one(home, f"catalog/{table}.lance/data/*.lance"))
    assert [row["what"] for row in repaired(home)] == [f"table {table}"]
    assert Catalog.open(home).count(table) == 0
    assert list(check(home)) == []


@pytest.mark.parametrize("harm", HARMS)
def test_a_table_whose_newest_version_is_broken_is_told_and_not_taken_for_a_new_one(
    home: Path, harm: Harm
) -> None:
    catalog = Catalog.open(home)
    catalog.delete("posts", "false")
    rows, name = catalog.count("posts"), "catalog/posts.lance"
    newest = one(home, f"{name}/_versions/*.manifest")
    catalog.delete("posts", f"post_id = '{catalog.read('posts', ['post_id'])['post_id'][0]}'")
    newest = one(home, f"{name}/_versions/*.manifest")  # the newest has the lowest name
    harm(newest)
    found = repaired(home)
    assert [row["what"] for row in found] in ([], ["table posts"])  # a version gone: an older one
    assert Catalog.open(home).count("posts") == rows
    for file in home.glob(f"{name}/_versions/*.manifest"):
        file.unlink()
    with pytest.raises(CatalogError, match="mmrl doctor"):
        Catalog.open(home).count("posts")
    assert [row["mended"] for row in repaired(home)] == [False]


def test_images_that_are_not_what_their_hash_says_are_fetched_again(home: Path) -> None:
    catalog = Catalog.open(home)
    image = catalog.read("images").slice(0, 1)
    other = image.set_column(image.schema.get_field_index("bytes"), "bytes", [[b"another image"]])
    catalog.upsert("images", other.cast(image.schema))
    broken = image["sha256"][0].as_py()
    assert {row["what"] for row in repaired(home)} == {"images"}
    for table in ("images", "post_images"):
        assert Catalog.open(home).count(table, f"sha256 = '{broken}'") == 0


def test_a_sound_home_is_told_to_be_sound_and_a_dry_run_changes_nothing(home: Path) -> None:
    assert repaired(home) == []
    cut(home / "mlflow.db")
    before = (home / "mlflow.db").read_bytes()
    said = CliRunner().invoke(app, ["repair", "--home", str(home), "--dry-run"])
    assert said.exit_code == 1
    assert "would be mended" in said.output
    assert (home / "mlflow.db").read_bytes() == before


def test_a_stage_that_begins_between_a_repair_and_its_end_looks_at_everything_once_more(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "post_id": "p",
        "sha256": "lost",
        "final_url": "",
        "fetched_at": datetime(2026, 5, 4, tzinfo=UTC),
    }
    rows = pa.Table.from_pylist([row], schema=SCHEMAS["post_images"])
    catalog.insert("post_images", rows)
    generations = [generation(catalog)]
    take_out = "mmrl.soundness.images.take_out"
    monkeypatch.setattr(take_out, lambda *_: generations.append(generation(catalog)))
    (damage,) = check(catalog.home)
    assert damage.mend is not None
    damage.mend()
    generations.append(generation(catalog))
    assert len(generations) == len(set(generations)) == 3
