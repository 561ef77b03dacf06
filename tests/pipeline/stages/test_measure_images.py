"""The measure-images stage: once an image, failures with the decoder's reason, a new version."""

from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import COLOURS, IMAGE_STATISTICS
from mmrl.catalog.keys import image_content
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import ImageSettings, Settings
from mmrl.images.measures.quality import VERSION, measure_file
from mmrl.pipeline import Silent, StageReport, run_stage
from mmrl.pipeline import run as pipeline
from mmrl.pipeline.stages import measure_images
from mmrl.pipeline.stages.measure_images import MeasureImagesStage
from tests.pipeline.stages.test_embed import AS_OF, BROKEN, GOOD, OTHER, put
from tests.support.image_server import image_file
from tests.support.marks import forget_marks


def run(catalog: Catalog) -> StageReport:
    return run_stage(MeasureImagesStage(Settings()), catalog, AS_OF, Silent())


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    """Five posts: a repost, a left-out one, one with a broken image, one without image."""
    put(catalog, "a", "A cat", GOOD, None)
    put(catalog, "b", "The cat again", GOOD, None)
    put(catalog, "c", "Left out", OTHER, "removed")
    put(catalog, "d", "Broken", BROKEN, None)
    put(catalog, "e", "No image", None, None)
    return catalog


def test_an_image_of_selected_posts_is_measured_once(filled: Catalog) -> None:
    report = run(filled)
    assert (report.pending, report.done) == (2, 1)
    (row,) = filled.read("image_statistics").to_pylist()
    assert row["sha256"] == image_content(GOOD)
    assert row["version"] == VERSION
    values = np.array([row[name] for name in IMAGE_STATISTICS], np.float32)
    assert values.tobytes() == measure_file(GOOD).statistics.tobytes()
    assert np.array(row[COLOURS], np.float32).tobytes() == measure_file(GOOD).colours.tobytes()
    assert run(filled).pending == 0


def test_a_broken_image_fails_alone_with_the_decoders_reason(filled: Catalog) -> None:
    report = run(filled)
    assert report.failed == {"broken_image": 1}
    (failure,) = filled.read("failures").to_pylist()
    assert (failure["stage"], failure["key"]) == ("measure-images", image_content(BROKEN))


def test_an_image_whose_bytes_are_gone_fails_alone(filled: Catalog) -> None:
    filled.delete("images", f"sha256 = {quote(image_content(GOOD))}")
    put(filled, "f", "Another", OTHER, None)
    assert run(filled).failed == {"broken_image": 2}
    assert filled.read("image_statistics")["sha256"].to_pylist() == [image_content(OTHER)]


def test_an_image_over_the_limit_is_refused_with_its_reason(
    catalog: Catalog, pixel_limit: None
) -> None:
    put(catalog, "a", "Wide", image_file(1, (200, 100)), None)
    settings = Settings(images=ImageSettings(max_pixels=19_999))
    pipeline.run(catalog, settings, ["measure-images"], AS_OF, Silent())
    assert catalog.read("failures", ["reason"]).to_pylist() == [{"reason": "too_many_pixels"}]


def test_a_new_version_measures_again_and_replaces(
    filled: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(filled)
    monkeypatch.setattr(measure_images, "VERSION", "next")
    monkeypatch.setattr(measure_images, "MEASURED", "version = 'next'")
    monkeypatch.setattr(MeasureImagesStage, "rules", "version = 'next'")
    assert run(filled).done == 1
    assert filled.read("image_statistics", ["version"])["version"].to_pylist() == ["next"]


def test_an_image_measured_before_there_were_colours_is_measured_again(filled: Catalog) -> None:
    run(filled)
    table = Path(str(filled.home)) / "catalog" / "image_statistics.lance"
    lance.dataset(str(table)).drop_columns([COLOURS])
    again = Catalog.open(filled.home)
    forget_marks(again)
    assert again.count("image_statistics", f"{COLOURS} IS NULL") == 1
    assert run(again).done == 1
    assert again.count("image_statistics", f"{COLOURS} IS NULL") == 0


def test_rows_are_in_the_tables_schema_and_in_the_images_order(filled: Catalog) -> None:
    put(filled, "f", "Another", OTHER, None)
    pending = MeasureImagesStage(Settings()).pending(filled, AS_OF)
    stage = MeasureImagesStage(Settings())
    done = stage.worker(AS_OF)(stage.load(filled, pending)).done
    assert done.schema.equals(SCHEMAS["image_statistics"])
    good = sorted([image_content(GOOD), image_content(OTHER)])
    assert done["sha256"].to_pylist() == good
    by_content = {image_content(data): measure_file(data) for data in (GOOD, OTHER)}
    light = pa.array([by_content[content].statistics[0] for content in good], pa.float32())
    assert done[IMAGE_STATISTICS[0]].combine_chunks().equals(light)
