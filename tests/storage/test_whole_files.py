"""Files written whole: the old one stands until the new one is there; nothing is left behind."""

import os
from pathlib import Path

import pytest

from mmrl.storage.whole_files import write_whole


def test_a_file_is_made_and_replaced_with_its_newlines_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for text in ("one\nzwei ü\n", "other\r\n"):
        write_whole(file, text)
        assert file.read_bytes() == text.encode()
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    write_whole(file, "kept")

    def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        write_whole(file, "new")
    assert file.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [file]
