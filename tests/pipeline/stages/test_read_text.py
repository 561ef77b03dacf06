"""The read-text stage: once an image, by a setting, failures with the decoder's reason."""

from mmrl.catalog import Catalog
from mmrl.catalog.keys import image_content
from mmrl.config import Settings
from mmrl.encoders.image_text import READER
from mmrl.pipeline import Silent, StageReport, run_stage
from mmrl.pipeline.stages.read_text import ReadTextStage
from tests.encoders.test_image_text import written
from tests.pipeline.stages.test_embed import AS_OF, BROKEN, put
from tests.support.marks import forget_marks

MEME, PLAIN = written("ONE DOES NOT SIMPLY", "READ"), written()


def run(catalog: Catalog, *, on: bool = True) -> StageReport:
    return run_stage(ReadTextStage(Settings(read_text=on)), catalog, AS_OF, Silent())


def test_an_image_of_selected_posts_is_read_once_where_the_setting_is_on(
    catalog: Catalog,
) -> None:
    put(catalog, "a", "A meme", MEME, None)
    put(catalog, "b", "Again", MEME, None)
    put(catalog, "c", "Left out", written("NEVER READ"), "removed")
    put(catalog, "d", "Plain", PLAIN, None)
    put(catalog, "e", "Broken", BROKEN, None)
    put(catalog, "f", "No image", None, None)
    assert run(catalog, on=False).pending == 0
    report = run(catalog)
    assert (report.pending, report.done, report.failed) == (3, 2, {"broken_image": 1})
    rows = {row["sha256"]: row for row in catalog.read("image_texts").to_pylist()}
    assert rows[image_content(MEME)]["text"] == "ONE DOES NOT SIMPLY READ"
    assert rows[image_content(PLAIN)]["text"] == ""
    assert {row["reader"] for row in rows.values()} == {READER}
    assert run(catalog).pending == 0


def test_what_another_reader_read_is_read_again(catalog: Catalog) -> None:
    put(catalog, "a", "A meme", MEME, None)
    run(catalog)
    catalog.opened("image_texts").update(values={"reader": "another"})
    forget_marks(catalog)
    assert run(catalog).done == 1
    assert catalog.count("image_texts") == 2
