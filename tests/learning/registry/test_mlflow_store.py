"""Models listed by an MLflow server or database; of a home in a bucket, the files stay there."""

from pathlib import Path

import pytest

from mmrl.errors import CatalogError
from mmrl.learning.registry.mlflow_store import MlflowStore
from mmrl.learning.registry.registry import Registry
from mmrl.learning.train import Trained
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_versions_are_kept_read_changed_and_dropped(
    place: str,
    request: pytest.FixtureRequest,
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = str(tmp_path / "home")
    if place == "folder":
        Path(home).mkdir()
    else:
        home = request.getfixturevalue("bucket")
    monkeypatch.chdir(tmp_path)  # where MLflow puts the files of a database's experiments
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/server.db")
    registry = Registry(home)
    assert registry.register(trained, trained.test_samples, fingerprint="one")[0] == "1"
    (version,) = Registry(home).list()
    assert (version.champion, registry.has("one")) == (True, True)
    assert version.metrics["rmse_log"] == trained.evaluation.models["mmrl"].metrics["rmse_log"]
    assert registry.load().version == "1"
    posts = trained.test_predictions["post_id"].to_pylist()
    registry.erase_posts("1", posts[:2])
    assert registry.test_predictions("1")["post_id"].to_pylist() == posts[2:]
    assert registry.file("1", "found.json") is None
    registry.keep_file("1", "found.json", b"{}")
    assert registry.file("1", "found.json") == b"{}"
    kept = [stored.name for stored in storage_of(home).walk("models")]
    assert any(name.endswith("/model.json") for name in kept) == (place == "bucket")
    assert registry.drop("1") is None
    assert Registry(home).list() == []


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    server = "postgresql://me:hush@db.example/mlflow"
    store = MlflowStore(Location(str(tmp_path)), server)
    for doing in (store.keeping, store.reading):
        with pytest.raises(CatalogError, match=r"postgresql://db\.example/m") as told, doing():
            raise OSError(f"no answer from {server}")
        assert "hush" not in str(told.value)
