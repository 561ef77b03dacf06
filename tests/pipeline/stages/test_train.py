"""Training runs when there is something new to learn from, and says so when there is not."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.learning.registry.registry import Registry
from mmrl.pipeline.stages import train as stage
from mmrl.runtime.progress import Silent
from tests.support.filled_home import SETTINGS, fill_samples, packaged_samples
from tests.support.learning_samples import AS_OF, quick_baselines, take_images


@pytest.fixture(autouse=True)
def _quick_baselines() -> Iterator[None]:
    with quick_baselines():
        yield


@pytest.mark.slow
def test_it_trains_once_on_the_same_samples_and_again_on_new_ones(
    catalog: Catalog,
) -> None:
    fill_samples(catalog, packaged_samples(260))
    first = stage.train_if_new(catalog, SETTINGS, AS_OF, Silent())
    assert (first.version, first.promoted, first.stage.done) == ("1", True, 260)
    assert first.evaluation is not None
    assert first.stage.peak_bytes > 0

    again = stage.train_if_new(catalog, SETTINGS, AS_OF, Silent())
    assert (again.version, again.stage.pending) == (None, 0)
    assert "Nothing new to learn from since version 1" in again.message

    fill_samples(catalog, packaged_samples(261))
    assert stage.train_if_new(catalog, SETTINGS, AS_OF, Silent()).version == "2"
    assert len(Registry(catalog.home).list()) == 2


def test_too_few_samples_are_no_error_in_a_daily_run_but_one_when_forced(
    catalog: Catalog,
) -> None:
    fill_samples(catalog, packaged_samples(70))
    report = stage.train_if_new(catalog, SETTINGS, AS_OF, Silent())
    assert report.stage.pending == 0
    assert "needs 200" in report.message
    with pytest.raises(InputError, match="needs 200"):
        stage.train_if_new(catalog, SETTINGS, AS_OF, Silent(), force=True)


@pytest.mark.slow
def test_a_home_without_any_image_is_learned_from(catalog: Catalog) -> None:
    fill_samples(catalog, take_images(packaged_samples(260), np.ones(260, bool)))
    report = stage.train_if_new(catalog, SETTINGS, AS_OF, Silent())
    assert (report.version, report.stage.done) == ("1", 260)
    model = Registry(catalog.home).load("1").model
    assert set(model.encoders) == {"title"}
    assert set(model.network.reading.modalities) == {"title", "post", "author"}
    assert not model.encoding.spec.reads_images
    later = packaged_samples(20, seed=1)  # with images, of which it knows nothing
    told = model.predict(take_images(later, np.ones(20, bool)))
    np.testing.assert_allclose(model.predict(later).q50, told.q50)


def test_posts_left_out_for_want_of_an_image_are_counted_with_the_setting_that_keeps_them(
    catalog: Catalog,
) -> None:
    reasons = [Reason.NO_IMAGE] * 150 + [Reason.HOST_NOT_ALLOWED] * 40 + [Reason.VIDEO] * 90
    rows = [
        {"post_id": f"p{n}", "rules": "r", "reason": str(reason), "decided_at": AS_OF}
        for n, reason in enumerate(reasons)
    ]
    catalog.insert("selection", pa.Table.from_pylist(rows, schema=SCHEMAS["selection"]))
    required = Settings(train={"min_samples": 200})
    assert "hours old" in stage.train_if_new(catalog, required, AS_OF, Silent()).message  # 190
    catalog.fail("fetch-images", [Failed(f"f{n}", Reason.IMAGE_GONE) for n in range(12)], AS_OF)
    message = stage.train_if_new(catalog, required, AS_OF, Silent()).message
    assert "202 posts are left out" in message
    assert "filter.require_image = false" in message
    assert "hours old" not in message
    imageless = Settings(filter={"require_image": False}, train={"min_samples": 200})
    assert "hours old" in stage.train_if_new(catalog, imageless, AS_OF, Silent()).message


@pytest.mark.slow
def test_too_short_a_time_is_no_error_in_a_daily_run_but_one_when_forced(
    catalog: Catalog,
) -> None:
    samples = packaged_samples(260)
    at = samples.schema.get_field_index("created_at")
    together = pa.array([AS_OF - timedelta(days=30)] * 260, samples.schema.field(at).type)
    fill_samples(catalog, samples.set_column(at, "created_at", together))
    report = stage.train_if_new(catalog, SETTINGS, AS_OF, Silent())
    assert (report.stage.pending, report.too_few) == (0, True)
    assert "over a longer time" in report.message
    with pytest.raises(InputError, match="over a longer time"):
        stage.train_if_new(catalog, SETTINGS, AS_OF, Silent(), force=True)
