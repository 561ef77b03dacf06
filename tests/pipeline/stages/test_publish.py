"""Publishing: the champion predicts each live post once, and says how old the post was."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.columns import TIME
from mmrl.errors import CatalogError
from mmrl.learning.registry.registry import Registry
from mmrl.learning.train import Trained
from mmrl.pipeline import Silent
from mmrl.pipeline.stages import publish
from tests.support.filled_home import SETTINGS, fill_samples, packaged_samples
from tests.support.learning_samples import AS_OF

LIVE = [2, 7, 12, 17, 22]  # hours since live posts went up
MATURED = 37
LiveHome = Callable[[datetime], Catalog]


@pytest.fixture
def live_home(trained_home: Path, tmp_path: Path) -> LiveHome:
    """A home whose report is written, with five live posts at a time and one that has matured."""

    def made(now: datetime) -> Catalog:
        home = tmp_path / "home"
        shutil.copytree(trained_home, home)
        (home / "reports").mkdir()
        (home / "reports" / "1.html").touch()
        catalog = Catalog.open(home)
        ages = [*LIVE, MATURED]
        times = pa.array([now - timedelta(hours=age) for age in ages], TIME)
        samples = packaged_samples(len(ages)).drop_columns(["score", "label_observed_at"])
        at = samples.schema.get_field_index("created_at")
        fill_samples(catalog, samples.set_column(at, "created_at", times))
        return catalog

    return made


def test_each_live_post_is_predicted_once_by_the_champion(live_home: LiveHome) -> None:
    catalog = live_home(AS_OF)
    first = publish.publish(catalog, SETTINGS, AS_OF, Silent())
    assert (first.stage.pending, first.stage.done) == (5, 5)
    again = publish.publish(catalog, SETTINGS, AS_OF + timedelta(hours=1), Silent())
    assert again.stage.pending == 0
    rows = catalog.read("predictions").sort_by("age_hours")
    assert rows["age_hours"].to_pylist() == pytest.approx(LIVE)
    assert set(rows["model_version"].to_pylist()) == {"1"}
    assert pc.all(pc.less_equal(rows["q10"], rows["q50"])).as_py()
    assert pc.all(pc.less_equal(rows["q50"], rows["q90"])).as_py()


def test_a_champion_of_another_profile_predicts_nothing_and_the_summary_says_so(
    live_home: LiveHome,
) -> None:
    catalog = live_home(AS_OF)
    another = SETTINGS.model_copy(update={"profile": "reference"})
    report = publish.publish(catalog, another, AS_OF, Silent())
    assert report.stage.summary() == "0 done, 5 live posts wait for a model of the new profile"
    assert catalog.count("predictions") == 0


def test_a_day_before_the_champions_is_not_predicted_by_it(live_home: LiveHome) -> None:
    before = AS_OF - timedelta(days=1)
    catalog = live_home(before)
    report = publish.publish(catalog, SETTINGS, before, Silent())
    assert report.stage.noted == {publish.LEARNED_LATER: 5}
    assert catalog.count("predictions") == 0


def test_without_a_model_there_is_nothing_to_publish(catalog: Catalog) -> None:
    report = publish.publish(catalog, SETTINGS, datetime(2026, 6, 1, tzinfo=UTC), Silent())
    assert (report.report, report.stage.pending) == (None, 0)


def test_a_model_that_can_not_be_kept_says_so_and_leaves_those_before_whole(
    trained: Trained, trained_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(trained_home, home)
    registry = Registry(home)
    before = [version.version for version in registry.list()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_write", _full_disk)
        with pytest.raises(CatalogError, match="could not be kept"):
            registry.register(trained, trained.test_samples, fingerprint="two")
    assert [version.version for version in Registry(home).list()] == before


def _full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")
