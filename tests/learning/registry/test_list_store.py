"""Models of a home in an object store: a list of its own, as true as that of a home on a disk."""

import json
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest

from mmrl.errors import CatalogError, NotFoundError
from mmrl.learning.registry.kept import versions_kept
from mmrl.learning.registry.last_training import last_training
from mmrl.learning.registry.list_store import FILE, ListStore
from mmrl.learning.registry.rebuild import rebuild
from mmrl.learning.registry.registry import Registry
from mmrl.learning.registry.unlisted import drop_unlisted
from mmrl.learning.train import Trained
from mmrl.soundness.models import check_models
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of
from tests.support.filled_home import SAMPLES


@pytest.fixture
def kept(bucket: str, trained: Trained) -> str:
    """A home with two versions, equally good."""
    for fingerprint in ("one", "two"):
        Registry(bucket).register(trained, trained.test_samples, fingerprint=fingerprint)
    return bucket


def test_versions_are_listed_loaded_promoted_and_dropped_as_on_a_disk(
    kept: str, trained_home: Path
) -> None:
    registry, on_disk = Registry(kept), Registry(trained_home)
    one, two = registry.list()
    (same,) = on_disk.list()
    assert (one.metrics, one.noise_ceiling, one.test_posts, one.decision) == (
        *(same.metrics, same.noise_ceiling, same.test_posts, same.decision),
    )
    assert (one.champion, two.champion, registry.champion()) == (False, True, "2")
    assert registry.show("1").evaluation == on_disk.show("1").evaluation
    assert registry.test_predictions("1").equals(on_disk.test_predictions("1"))
    theirs = on_disk.load("1").model.predict(SAMPLES)
    assert np.array_equal(registry.load("1").model.predict(SAMPLES).q50, theirs.q50)
    last = last_training(kept)
    assert last is not None
    assert (last["version"], registry.has("one"), registry.has("never")) == ("2", True, False)
    assert registry.promote("1") == "1"
    assert registry.drop("2") == "1"
    assert versions_kept(kept) == ["1"]
    assert last_training(kept) is None
    assert not any(
        "two" in (storage_of(kept).read(s.name) or b"").decode(errors="replace")
        for s in storage_of(kept).walk("models")
        if s.name.endswith("version.json")
    )
    with pytest.raises(NotFoundError, match="there are 1, "):
        registry.show("2")


def test_a_number_is_given_once_whoever_adds_and_whatever_was_dropped(
    bucket: str, trained: Trained
) -> None:
    store = ListStore(Location.of(bucket))
    numbers: list[str] = []

    def enlist(run_id: str) -> None:
        own = ListStore(Location.of(bucket))
        numbers.append(own.enlist(run_id, {}, trained.evaluation))

    threads = [threading.Thread(target=enlist, args=(f"run{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [kept.version for kept in store.versions()] == list("123456")
    store.drop(store.version("6"))
    assert store.enlist("run7", {}, trained.evaluation) == "7"


def test_posts_are_erased_from_a_versions_test_predictions(kept: str, trained: Trained) -> None:
    registry = Registry(kept)
    gone = trained.test_predictions["post_id"].to_pylist()[:3]
    registry.erase_posts("1", gone)
    left = registry.test_predictions("1")["post_id"].to_pylist()
    assert len(left) == trained.test_predictions.num_rows - 3
    assert set(left).isdisjoint(gone)


@pytest.mark.parametrize("broken", [b"", b"{}", b'{"versions": {"1": {}}}', None])
def test_a_list_that_is_broken_or_gone_is_made_again_from_the_models_files(
    kept: str, broken: bytes | None
) -> None:
    storage = storage_of(kept)
    if broken is None:
        storage.delete([FILE])
    else:
        storage.write(FILE, broken)
        with pytest.raises(CatalogError, match="mmrl repair"):
            Registry(kept).list()
    (damage,) = check_models(kept)
    assert (damage.what, damage.mend is not None) == (FILE, True)
    assert damage.mend is not None
    damage.mend()
    assert [(one.version, one.champion) for one in Registry(kept).list()] == [
        ("1", False),
        ("2", True),
    ]
    assert list(check_models(kept)) == []
    assert storage.exists(f"{FILE}.broken") == (broken is not None)


@pytest.mark.parametrize("puts", [0, 1, 9])
def test_a_repair_that_is_killed_leaves_the_list_broken_or_whole(
    kept: str, monkeypatch: pytest.MonkeyPatch, puts: int
) -> None:
    storage = storage_of(kept)
    storage.write(FILE, b"broken")
    put, done = obstore.put, list[str]()

    def killed(*given: Any, **options: Any) -> Any:
        if len(done) == puts:
            raise SystemExit
        done.append(given[1])
        return put(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(obstore, "put", killed)
        with nullcontext() if puts == 9 else pytest.raises(SystemExit):
            rebuild(kept)
    found = storage.read(FILE) or b""
    if puts == 9:
        assert list(json.loads(found)["versions"]) == ["1", "2"]
    else:
        assert found == b"broken"


@pytest.mark.parametrize("moved", [True, False])
def test_versions_without_a_number_are_listed_again_in_a_home_moved_here_alone(
    kept: str, moved: bool
) -> None:
    """An earlier mmrl wrote no numbers beside the files; nor does a training that is killed."""
    storage = storage_of(kept)
    records = [one.name for one in storage.walk("models") if one.name.endswith("version.json")]
    storage.delete([FILE, *(records if moved else records[:1])])
    if moved:
        storage.write("mlflow.db", b"MLflow's")
    (damage,) = check_models(kept)
    assert damage.mend is not None
    damage.mend()
    assert len(Registry(kept).list()) == (2 if moved else 1)
    assert sum(storage.exists(record) for record in records) == (2 if moved else 1)
    assert list(check_models(kept)) == []


def test_files_that_a_killed_training_never_listed_are_dropped_and_nothing_else_is(
    kept: str,
) -> None:
    storage = storage_of(kept)
    left = "models/left/artifacts/model/test_predictions.parquet"
    once_listed = "models/once/artifacts/model/version.json"
    storage.write(left, b"posts")
    storage.write(once_listed, b"{}")
    before = {one.name for one in storage.walk("models")}
    drop_unlisted(kept, time.time() - 3_600)
    storage.write("mlflow.db", b"moved here")
    drop_unlisted(kept, time.time() + 3_600)
    assert {one.name for one in storage.walk("models")} == before
    storage.delete(["mlflow.db"])
    drop_unlisted(kept, time.time() + 3_600)
    assert {one.name for one in storage.walk("models")} == before - {left}
