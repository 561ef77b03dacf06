"""Refused rows of an import: kept in their file, whatever ends the import."""

from pathlib import Path

import pytest

from mmrl.catalog import Catalog
from mmrl.errors import CatalogError
from mmrl.pipeline import Silent
from mmrl.sources.files.importer import import_posts
from mmrl.sources.files.table import TableSource
from mmrl.storage.opening import storage_of
from tests.sources.files.test_table import NOW


def test_refused_rows_are_kept_though_the_catalog_ends_the_import(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["id,title,subreddit,created_utc,score,author"]
    lines += [f"no{n},A lake,pics,soon,5,me" for n in range(9)]
    (tmp_path / "posts.csv").write_text("\n".join(lines))

    def full(*_: object) -> None:
        raise CatalogError("the disk is full")

    monkeypatch.setattr(Catalog, "fail", full)
    with pytest.raises(CatalogError, match="the disk is full"):
        import_posts(catalog, TableSource(tmp_path / "posts.csv"), NOW, Silent(), "refused/1.csv")
    assert (storage_of(catalog.home).read("refused/1.csv") or b"").count(b"\n") == 10
