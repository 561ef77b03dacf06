"""What options of several commands say."""

from pathlib import Path

import pytest

from mmrl.cli.options import from_here
from mmrl.storage.location import Location


def test_a_file_below_the_working_directory_is_named_as_it_is_typed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_here(tmp_path / "demo" / "reports" / "1.html") == "demo/reports/1.html"
    assert from_here(Location(str(tmp_path / "demo"))) == "demo"
    assert from_here(tmp_path.parent / "1.html") == str(tmp_path.parent / "1.html")
    assert from_here(Location("s3://bucket/mmrl/reports/1.html")).startswith("s3://bucket/")
