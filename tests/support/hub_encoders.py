"""Mishaps of encoders with weights of the hub: memory runs out, files are missing or broken."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmrl.errors import WeightsError


def scarce_memory(monkeypatch: pytest.MonkeyPatch, network: type, method: str) -> list[int]:
    """Has a network's method run out of a GPU's memory for two items or more; gives their counts.

    Args:
        method: its first argument has a row an item.
    """
    whole, counts = getattr(network, method), []

    def scarce(self: Any, items: Any, *others: Any) -> Any:
        import torch

        counts.append(len(items))
        if len(items) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, items, *others)

    monkeypatch.setattr(network, method, scarce)
    return counts


def broken(folder: Path, into: Path, name: str, content: str) -> Path:
    """A copy of a model's folder in which one file holds something else."""
    shutil.copytree(folder, into)
    (into / name).write_text(content)
    return into


def assert_missing_weights_are_named(call: Callable[[], object], model: str, size: str) -> None:
    """The error names the model, its size, the command that fetches it and the setting."""
    with pytest.raises(WeightsError) as caught:
        call()
    for words in (model, size, "mmrl weights fetch", f'[weights] "{model}"'):
        assert words in str(caught.value)
