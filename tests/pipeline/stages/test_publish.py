"""Publishing: the champion predicts each live post once, and says how old the post was."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.tables import TIME
from mmrl.config import Settings
from mmrl.errors import CatalogError
from mmrl.learning.registry.registry import Registry
from mmrl.learning.train import train
from mmrl.pipeline import Silent
from mmrl.pipeline.stages import publish
from mmrl.serving import live as serving
from tests.support.learning_samples import AS_OF, ENCODERS, QUICK_TRAINING, make_samples

SETTINGS = Settings(threads=2, train=QUICK_TRAINING)


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("published") / "home"
    Catalog.open(home, create=True)
    trained = train(make_samples(260), SETTINGS, ENCODERS, AS_OF)
    Registry(home).register(trained, trained.test_samples, fingerprint="one")
    return home


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """Five young posts, as the catalog would give them, the newest two hours old at AS_OF."""
    ages = pa.array([AS_OF - timedelta(hours=2 + 5 * n) for n in range(5)], TIME)
    samples = make_samples(5)
    samples = samples.set_column(samples.schema.get_field_index("created_at"), "created_at", ages)
    young = samples.select(["post_id", "created_at"])

    class OfTheTests:
        ids = ENCODERS

    monkeypatch.setattr(serving, "load_profile", lambda name: OfTheTests)
    monkeypatch.setattr(serving, "samples_with_vectors", lambda *_: samples)
    monkeypatch.setattr(publish, "live_posts", lambda *_: young)
    return young


def test_each_live_post_is_predicted_once_by_the_champion(
    trained_home: Path, live: pa.Table
) -> None:
    catalog = Catalog.open(trained_home)
    (trained_home / "reports").mkdir(exist_ok=True)
    (trained_home / "reports" / "1.html").touch()  # this version's report is there already
    first = publish.publish(catalog, SETTINGS, AS_OF, Silent())
    assert (first.stage.pending, first.stage.done) == (5, 5)
    again = publish.publish(catalog, SETTINGS, AS_OF + timedelta(hours=1), Silent())
    assert again.stage.pending == 0
    rows = catalog.read("predictions").sort_by("age_hours")
    assert rows["age_hours"].to_pylist() == pytest.approx([2, 7, 12, 17, 22])
    assert set(rows["model_version"].to_pylist()) == {"1"}
    assert pc.all(pc.less_equal(rows["q10"], rows["q50"])).as_py()
    assert pc.all(pc.less_equal(rows["q50"], rows["q90"])).as_py()


def test_a_champion_of_another_profile_predicts_nothing_and_the_summary_says_so(
    trained_home: Path, live: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(trained_home, home)
    (home / "reports").mkdir(exist_ok=True)
    (home / "reports" / "1.html").touch()
    catalog = Catalog.open(home)
    catalog.delete("predictions", "true")

    class Another:
        ids: ClassVar = {**ENCODERS, "image": "another-image-encoder@1"}

    monkeypatch.setattr(serving, "load_profile", lambda settings: Another)
    report = publish.publish(catalog, SETTINGS, AS_OF, Silent())
    assert report.stage.summary() == "0 done, 5 live posts wait for a model of the new profile"
    assert catalog.count("predictions") == 0


def test_a_day_before_the_champions_is_not_predicted_by_it(
    trained_home: Path, live: pa.Table, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(trained_home, home)
    (home / "reports").mkdir(exist_ok=True)
    (home / "reports" / "1.html").touch()
    catalog = Catalog.open(home)
    catalog.delete("predictions", "true")
    report = publish.publish(catalog, SETTINGS, AS_OF - timedelta(days=1), Silent())
    assert report.stage.noted == {publish.LEARNED_LATER: 5}
    assert catalog.count("predictions") == 0


def test_without_a_model_there_is_nothing_to_publish(catalog: Catalog) -> None:
    report = publish.publish(catalog, SETTINGS, datetime(2026, 6, 1, tzinfo=UTC), Silent())
    assert (report.report, report.stage.pending) == (None, 0)


def test_a_model_that_can_not_be_kept_says_so_and_leaves_those_before_whole(
    trained_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(trained_home, home)
    registry = Registry(home)
    model = train(make_samples(260, seed=2), SETTINGS, ENCODERS, AS_OF)
    before = [version.version for version in registry.list()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_write", _full_disk)
        with pytest.raises(CatalogError, match="could not be kept"):
            registry.register(model, model.test_samples, fingerprint="two")
    assert [version.version for version in Registry(home).list()] == before


def _full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")
