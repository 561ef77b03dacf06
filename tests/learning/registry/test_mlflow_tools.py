"""Models as MLflow's own tools see them: loaded, served, on a tracking server."""

import json
import os
import re
import shutil
import signal
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
from tests.support.paths import ROOT
from tests.support.waiting import eventually


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    except OSError:
        return False


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's tracking server on loopback, set as the one that mmrl keeps models on."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--workers", "1"]
    words += ["--artifacts-destination", str(tmp_path / "kept"), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    try:
        eventually(lambda: answers(f"{url}/health"), process, pause=0.2)
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


@pytest.mark.slow
def test_mlflow_serves_a_version_and_answers_the_request_that_the_page_shows(
    serving_home: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(serving_home, tmp_path / "demo")
    image = mmrl.open(home, quiet=True).catalog.read("images", ["bytes"])["bytes"][0].as_py()
    (home / "pictures").mkdir()
    (home / "pictures/1.jpg").write_bytes(image)
    [model] = home.glob("models/*/artifacts/model")
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(cd demo .*?)```", page, re.DOTALL)
    port, request = str(free_port()), str(tmp_path / "request.json")
    serve, ask = (
        block.replace("models/RUN/", f"models/{model.parents[1].name}/")
        .replace("5001", port)
        .replace("/tmp/request.json", request)
        for block in blocks
    )
    # By the shell, and a group of its own, as MLflow starts its server as a child.
    process = subprocess.Popen(
        ["sh", "-c", serve],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/ping"), process, pause=0.2)
        answer = subprocess.run(
            ["sh", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    [predicted] = json.loads(answer.stdout)["predictions"]
    assert predicted["score_low"] <= predicted["score"] <= predicted["score_high"]


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
