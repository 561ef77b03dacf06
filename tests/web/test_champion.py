"""A new champion takes the old one's place while requests go on."""

import json
import shutil
import threading
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import mmrl
from mmrl.errors import CatalogError
from mmrl.learning.registry.registry import Registry
from mmrl.learning.removals import TERMS, RemovalModel
from mmrl.web.app import make_app
from mmrl.web.champion import FRESH, Champion
from tests.support.earlier_home import unpack_earlier_home
from tests.support.served_home import NOW, load_champion, picture, serve_home

pytestmark = pytest.mark.slow

ASKED = {"titles": ["Lake at dawn"], "communities": ["SimPics"], "hours": "now"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two versions of a model, alike but for their numbers; the first is champion."""
    home = tmp_path_factory.mktemp("two") / "home"
    unpack_earlier_home(home)
    store = Registry(home)._store
    first = store.version("1")
    evaluation = Registry(home).show("1").evaluation
    with store.at_hand(first) as files:
        store.add(
            "2026-08-12T00:00:00Z",
            dict(first.tags),
            evaluation,
            lambda folder: shutil.copytree(files, folder, dirs_exist_ok=True),
        )
    return home


@pytest.fixture
def champion(home: Path) -> Champion:
    """The first version."""
    Registry(home).promote("1")
    return load_champion(home)


def test_no_request_fails_while_a_new_champion_is_taken_up(home: Path, champion: Champion) -> None:
    answers: list[tuple[int, str]] = []
    with TestClient(make_app(serve_home(home, champion))) as client:

        def ask() -> None:
            files = [("request", (None, json.dumps(ASKED))), ("picture", ("a", picture("red")))]
            answer = client.post("/api/v1/rank", files=files)
            answers.append((answer.status_code, answer.json().get("model_version")))

        ask()
        Registry(home).promote("2")
        taking_up = threading.Thread(target=champion.refresh)
        taking_up.start()
        while taking_up.is_alive():
            ask()
        taking_up.join()
        ask()
        assert client.get("/readyz").json()["model_version"] == "2"
    assert {status for status, _ in answers} == {200}
    versions = [version for _, version in answers]
    assert versions == sorted(versions)
    assert (versions[0], versions[-1]) == ("1", "2")


def test_what_is_known_anew_is_read_before_requests_meet_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry(home).promote("1")
    now = [NOW]
    champion = Champion(mmrl.open(home), lambda: now[0])
    nothing = [0.0] * len(TERMS)
    champion.current._predictor.registered.model.removals = RemovalModel(
        nothing, [1.0] * len(TERMS), nothing, {}, 0.0, 0.0, -2.0, shown=True
    )
    now[0] += FRESH
    champion.refresh()
    assert champion.current.as_of == now[0]

    def reads(*_: object) -> None:
        raise AssertionError("posts are read while somebody waits")

    monkeypatch.setattr("mmrl.serving.ranks.removal.posts_with_fates", reads)
    ranker = champion.current
    (ranked,) = ranker.rank(ranker.drafts(["Lake at dawn"], ["SimPics"], [picture("red")]))
    assert ranked.removal == pytest.approx(0.119, abs=0.001)


def test_a_champion_that_can_not_be_loaded_leaves_the_old_one(
    home: Path, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise CatalogError("model.json can't be read")

    Registry(home).promote("2")
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "load", broken)
        champion.refresh()
    assert (champion.version, champion.complaint) == ("1", "model.json can't be read")
    with TestClient(make_app(serve_home(home, champion))) as client:
        assert "model.json can't be read" in unescape(client.get("/").text)
    champion.refresh()
    assert (champion.version, champion.complaint) == ("2", None)
