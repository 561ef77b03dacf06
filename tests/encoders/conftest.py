"""Folders of small models, each file of tests its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder for a small model's files; models loaded from it are let go at the end."""
    from mmrl.encoders.device.loaded_models import unload
    from mmrl.encoders.networks.torchvision import ensure_torchvision

    ensure_torchvision()
    yield tmp_path_factory.mktemp("models")
    unload()
