"""Locations of homes, and that only one module asks."""

import re
from pathlib import Path

import pytest

import mmrl
from mmrl.errors import ConfigError
from mmrl.storage.location import Location

SOURCE = Path(mmrl.__file__).parent


def test_a_folder_is_local_and_has_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = Location.of("~/mine")
    assert home.is_local
    assert home.path == tmp_path / "mine"
    assert home.file("models", "last.json") == tmp_path / "mine" / "models" / "last.json"
    assert Location.of(tmp_path).path == tmp_path
    assert Location.of(home) is home


def test_an_object_store_has_no_paths_and_says_what_to_do() -> None:
    home = Location.of("s3://bucket/mine/")
    assert not home.is_local
    assert home.file("mmrl.toml") is None
    with pytest.raises(ConfigError, match=r"s3://bucket/mine/ is in an object store.*--home"):
        _ = home.path


def test_what_lies_in_a_home_is_named_with_one_slash() -> None:
    assert str(Location.of("s3://bucket/mine/").join("catalog")) == "s3://bucket/mine/catalog"
    assert str(Location.of("/home/mine").join("a", "b")) == "/home/mine/a/b"


def test_no_other_module_asks_whether_a_home_is_a_folder() -> None:
    asking = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if re.search(r"""["']://["']""", path.read_text(encoding="utf-8"))
    }
    # The sandbox takes the scheme off its own address, which is no home.
    assert asking == {"storage/location.py", "sandbox/api.py"}
