"""A home to serve, and servers of it in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mmrl.web.app import make_app
from mmrl.web.champion import Champion
from mmrl.web.service import Service
from tests.support.earlier_home import unpack_earlier_home
from tests.support.served_home import load_champion, serve_home


@pytest.fixture(scope="session")
def served_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a model and its posts. Copy it before anything is written to it."""
    home = tmp_path_factory.mktemp("served") / "home"
    unpack_earlier_home(home)
    return home


@pytest.fixture(scope="session")
def champion(served_home: Path) -> Champion:
    """That home's model, loaded once."""
    return load_champion(served_home)


@pytest.fixture
def service(served_home: Path, champion: Champion) -> Service:
    """What a server of that home shares between its requests."""
    return serve_home(served_home, champion)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    """A browser of that server; redirects are left to the test."""
    with TestClient(make_app(service), follow_redirects=False) as client:
        yield client
