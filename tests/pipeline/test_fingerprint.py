"""A fingerprint tells whether there is anything new to learn from."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.pipeline import fingerprint
from mmrl.sources.extras import extra_rows
from tests.support.filled_home import SETTINGS, fill_posts, fill_samples, packaged_samples
from tests.support.learning_samples import AS_OF

SAMPLES = packaged_samples(60)
ENCODERS = {"title": "one"}


def taken(catalog: Catalog, settings: Settings = SETTINGS, **encoders: str) -> str:
    return fingerprint.take(catalog, settings, {**ENCODERS, **encoders}, AS_OF).fingerprint


def changed(name: str, value: float | str) -> pa.Table:
    """The first of the samples, with another value."""
    row = SAMPLES.slice(0, 1)
    at = row.schema.get_field_index(name)
    return row.set_column(at, row.schema.field(at), pa.array([value], row.schema.field(at).type))


def test_it_counts_labelled_samples_and_changes_with_rules_labels_features_and_extras(
    catalog: Catalog,
) -> None:
    fill_samples(catalog, SAMPLES)
    fill_posts(catalog, SAMPLES)
    assert fingerprint.take(catalog, SETTINGS, ENCODERS, AS_OF).labelled == 60
    found = [
        taken(catalog),
        taken(catalog, SETTINGS.model_copy(update={"read_text": True})),
        taken(catalog, Settings(**{**SETTINGS.model_dump(), "train": {"seed": 1}})),
        taken(catalog, title="other"),
    ]
    for row in (changed("score", 12345), changed("over_18", 0.25), changed("author_id", "new")):
        fill_samples(catalog, row)
        found.append(taken(catalog))
    post_id = SAMPLES["post_id"][5].as_py()
    rows = pa.Table.from_pylist(extra_rows({post_id: {"tags": "red"}}), SCHEMAS["extra_features"])
    catalog.insert("extra_features", rows)
    found.append(taken(catalog))
    assert len(set(found)) == len(found)


def test_what_is_written_without_a_change_of_labelled_samples_changes_nothing(
    catalog: Catalog,
) -> None:
    fill_samples(catalog, SAMPLES)
    first = taken(catalog)
    fill_samples(catalog, SAMPLES)  # new versions of the tables, the same rows in another order
    catalog.compact()
    later = packaged_samples(70, seed=1).slice(60)
    for name in ("score", "label_observed_at"):
        at = later.schema.get_field_index(name)
        later = later.set_column(at, later.schema.field(at), pa.nulls(10, later.schema.types[at]))
    fill_samples(catalog, later)  # posts that are not labelled yet
    assert taken(catalog) == first


def test_no_row_is_read_again_until_something_is_written_or_becomes_known(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_samples(catalog, SAMPLES)
    first = taken(catalog)
    early = pc.min(SAMPLES["label_observed_at"]).as_py() + timedelta(days=10)
    few = fingerprint.take(catalog, SETTINGS, ENCODERS, early)
    assert 0 < few.labelled < 60
    assert taken(catalog) == first  # labels became known in between

    def refused(*_: object) -> None:
        raise AssertionError("rows are read")

    monkeypatch.setattr(fingerprint, "digest", refused)
    later = fingerprint.take(catalog, SETTINGS, ENCODERS, AS_OF + timedelta(days=3))
    assert (later.fingerprint, later.labelled) == (first, 60)
    fill_samples(catalog, SAMPLES.slice(0, 1))
    with pytest.raises(AssertionError, match="rows are read"):
        taken(catalog)


def test_a_broken_note_is_not_believed(catalog: Catalog) -> None:
    fill_samples(catalog, SAMPLES)
    first = taken(catalog)
    note = Path(catalog.home) / "models" / "last_reading.json"
    for text in ("", "[]", "{}", '{"rules": 1, "tables": [], "as_of": "x"}'):
        note.write_text(text)
        assert taken(catalog) == first
