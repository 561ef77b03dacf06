"""Models as MLflow's own tools see them: loaded, served, on a tracking server."""

import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mmrl
from mmrl.learning.registry.registry import Registry
from mmrl.learning.train import Trained
from tests.support.learning_samples import AS_OF
from tests.support.waiting import eventually


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's tracking server on loopback, set as the one that mmrl keeps models on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--workers", "1"]
    words += ["--artifacts-destination", str(tmp_path / "kept"), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{url}/health", timeout=5).status == 200)
        except OSError:
            return False

    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    try:
        eventually(answers, process, pause=0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_a_version_is_kept_on_a_tracking_server_read_from_it_and_dropped(
    server: str, tmp_path: Path, trained: Trained
) -> None:
    (tmp_path / "home").mkdir()
    registry = Registry(tmp_path / "home")
    version, decision = registry.register(trained, trained.test_samples, fingerprint="one")
    assert decision.promote
    assert not (tmp_path / "home/mlflow.db").exists()
    report = tmp_path / "1.html"
    report.write_text("<p>it</p>", encoding="utf-8")
    registry.attach_report(version, report)
    again = Registry(tmp_path / "home")
    assert [(one.version, one.champion) for one in again.list()] == [(version, True)]
    assert again.show("champion").evaluation == trained.evaluation
    ours = trained.model.predict(trained.test_samples).q50
    theirs = again.load("latest").model.predict(trained.test_samples).q50
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    run = again.list()[0].run_id
    kept = {file.name for file in (tmp_path / "kept").rglob(f"*{run}/artifacts/**/*")}
    assert {"report.html", "evaluation.json", "MLmodel"} <= kept
    assert again.drop(version) is None
    assert again.list() == []


def test_mlflow_loads_a_version_with_its_signature_and_predicts_with_its_home(
    serving_home: Path, tmp_path: Path
) -> None:
    import mlflow.pyfunc

    home = shutil.copytree(serving_home, tmp_path / "home")
    [folder] = home.glob("models/*/artifacts/model")
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert [column.name for column in loaded.metadata.signature.inputs][:2] == [
        "title",
        "subreddit",
    ]
    drafts = pd.DataFrame({"title": ["Lake at dawn", "Two cats"], "subreddit": ["pics", "pics"]})
    image = mmrl.open(home, quiet=True).catalog.read("images", ["bytes"])["bytes"][0].as_py()
    drafts["image"] = [image, image]
    found = loaded.predict(drafts, params={"as_of": AS_OF.isoformat()})
    expected = mmrl.open(home, quiet=True).predict(
        [mmrl.Draft(image, title, "pics") for title in drafts["title"]], as_of=AS_OF
    )
    assert found["score"].tolist() == [one.score.middle for one in expected if one.score]
    assert (found["percentile_low"] <= found["percentile_high"]).all()


def test_a_report_lies_among_a_versions_files_wherever_the_home_is_moved(
    trained_home: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(trained_home, tmp_path / "home")
    (home / "reports").mkdir()
    (home / "reports/1.html").write_text("one", encoding="utf-8")
    Registry(home).attach_report("1", home / "reports/1.html")
    (home / "reports/1.html").write_text("without what was purged", encoding="utf-8")
    moved = home.rename(tmp_path / "moved")
    [link] = moved.glob("models/*/artifacts/report.html")
    assert link.read_text(encoding="utf-8") == "without what was purged"
    [flavour] = moved.glob("models/*/artifacts/model/MLmodel")
    assert json.loads(flavour.read_text(encoding="utf-8"))["run_id"] == flavour.parents[2].name
