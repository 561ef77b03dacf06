"""A home to serve, and servers of it in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mmrl.web.app import make_app
from mmrl.web.service import Service
from tests.support.served_home import fill, serve_home


@pytest.fixture(scope="session")
def served_home(tmp_path_factory: pytest.TempPathFactory, trained_home: Path) -> Path:
    """A home with a model and its posts. Copy it before anything is written to it."""
    return fill(trained_home, tmp_path_factory.mktemp("served") / "home")


@pytest.fixture(scope="session")
def service(served_home: Path) -> Service:
    """What a server of that home shares between requests; the models are loaded once."""
    return serve_home(served_home)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    """A browser of that server; redirects are left to the test."""
    with TestClient(make_app(service), follow_redirects=False) as client:
        yield client
