"""Encoders and captioners with a checkpoint: id, files, memory."""

from pathlib import Path

import pytest

from mmrl.encoders.device.loaded_models import unload
from mmrl.encoders.hub import encoder as from_hub
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub
from mmrl.encoders.hub.models import hub_model
from mmrl.errors import WeightsError

NAME = "Qwen/Qwen3-Embedding-0.6B"
BYTES = 1_000


class Small(FromHub[object]):
    """A model whose network is any object."""

    name = "small"
    rules = "upright"

    def _load(self) -> object:
        return object()


def checkpoint(folder: Path, dtype: str = "float32") -> Checkpoint:
    """A folder that has all files of a model, with a known number of bytes for weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in hub_model(NAME).files:
        (folder / name).write_text("{}")
    (folder / hub_model(NAME).weights).write_bytes(b"\0" * BYTES)
    return Checkpoint(NAME, folder, "cpu", dtype)


@pytest.mark.parametrize(
    ("dtype", "stored", "share", "size"),
    [
        ("float32", 4, 1.0, 1_000),
        ("bfloat16", 4, 1.0, 500),
        ("float32", 2, 1.0, 2_000),
        ("bfloat16", 2, 1.0, 1_000),
        ("float32", 4, 0.4, 400),
    ],
)
def test_room_is_asked_for_what_the_weights_take_in_the_format_they_are_used_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: str,
    stored: int,
    share: float,
    size: int,
) -> None:
    asked = []
    monkeypatch.setattr(from_hub, "loaded", lambda _, __, size, load: asked.append(size) or load())
    made = Small(checkpoint(tmp_path, dtype))
    made.stored, made.share = stored, share
    made._network()
    assert asked == [size]


def test_a_network_is_loaded_once_for_a_checkpoint_and_its_companions(tmp_path: Path) -> None:
    one, other = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "other")
    first = Small(one)._network()
    assert Small(one)._network() is first
    assert Small(other)._network() is not first
    assert Small(one, other)._network() is not first
    unload()
    assert Small(one)._network() is not first
    unload()


def test_the_files_of_every_checkpoint_are_checked(tmp_path: Path) -> None:
    whole, broken = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "broken")
    Small(whole, broken).check()
    (tmp_path / "broken" / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"broken lacks config\.json"):
        Small(whole, broken).check()


def test_the_id_is_of_the_weights_and_the_rules(tmp_path: Path) -> None:
    made = Small(checkpoint(tmp_path))
    assert made.id == f"small@{checkpoint(tmp_path).revision}+upright"
