"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.images.decode import use_limit
from tests.support.paths import ROOT

os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does

# No test hangs on the machine's speed; CI draws the same examples each time.
settings.register_profile(
    "mmrl",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mmrl")


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
def pixel_limit() -> Iterator[None]:
    """Puts the process's pixel limit back after a test that sets another."""
    yield
    use_limit(Settings().images.max_pixels)
