"""Purges of what is made of posts outside the tables: experiments' cells, reports."""

import os
from pathlib import Path

import pyarrow.parquet as pq

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.pipeline import Silent
from mmrl.purge.run import erase
from tests.support.purge_home import AS_OF, keep, keep_cell, make_post, purge, traces


def test_cells_of_experiments_lose_a_purged_post_and_nothing_else(catalog: Catalog) -> None:
    doomed, others = make_post(), [make_post() for _ in range(3)]
    keep(catalog, [doomed, *others])
    met, another = keep_cell(catalog, [others[0], doomed, *others[1:]]), [others[0], others[2]]
    untouched = keep_cell(catalog, another, "2c3d")
    bytes_before, before = untouched.read_bytes(), pq.read_table(met)
    report = purge(catalog, doomed)
    assert report.experiments == {"pictures": 1}
    assert traces(catalog, doomed) == {}
    assert untouched.read_bytes() == bytes_before
    after = pq.read_table(met)
    assert after.equals(before.take([0, 2, 3]), check_metadata=True)


def test_of_cells_what_is_broken_or_half_written_is_deleted(catalog: Catalog) -> None:
    doomed = make_post()
    keep(catalog, [doomed])
    broken, half = keep_cell(catalog, [doomed]), keep_cell(catalog, [doomed], "2c3d")
    broken.write_bytes(broken.read_bytes()[:-8])
    half, young = half.rename(half.with_name(".2c3d.parquet.x1")), half.with_suffix(".part")
    os.utime(half, (0, 0))
    young.write_bytes(b"under way")
    assert purge(catalog, doomed).experiments == {"pictures": 1}
    assert list(broken.parent.iterdir()) == [young]
    assert traces(catalog, doomed) == {}


def test_a_cell_that_is_written_while_its_post_is_purged_loses_it_too(catalog: Catalog) -> None:
    doomed, other = make_post(), make_post()
    keep(catalog, [doomed, other])
    reasons = {doomed.post_id: "deleted"}

    def write(seconds: float) -> None:
        keep_cell(catalog, [doomed, other])

    report = erase(catalog, Settings(), reasons, AS_OF, Silent(), sleep=write)
    assert report.experiments == {"pictures": 1}
    assert traces(catalog, doomed) == {}


def test_reports_that_show_a_purged_post_go_and_others_stay(catalog: Catalog) -> None:
    doomed, other = make_post(), make_post()
    keep(catalog, [doomed, other])
    reports = Path(catalog.home) / "reports"
    reports.mkdir()
    for name, post in (("1.html", doomed), ("2.html", other), (".1.html.ab12", doomed)):
        (reports / name).write_text(f"<p>{post.title}</p><p>r/pics · 2 Mar · {post.post_id}</p>")
    report = purge(catalog, doomed)
    assert [path.name for path in reports.iterdir()] == ["2.html"]
    assert list(report.reports_deleted) == ["1.html"]  # there is no model to write it anew from
    assert "mmrl train" in report.reports_deleted["1.html"]
    assert traces(catalog, doomed) == {}
