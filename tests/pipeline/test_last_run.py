"""The note of a home's last run stands back behind the run itself."""

import pytest

import mmrl
from mmrl.catalog import Catalog
from mmrl.errors import InputError, StorageError


def test_the_error_that_ended_a_run_is_raised_though_no_note_of_it_can_be_written(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object, **__: object) -> None:
        raise InputError("what ended it")

    def refuse(*_: object) -> None:
        raise StorageError("no note")

    monkeypatch.setattr("mmrl.pipeline.run.run", end)
    monkeypatch.setattr("mmrl.pipeline.last_run.remember_run", refuse)
    with pytest.raises(InputError, match="what ended it"):
        mmrl.open(catalog.home, quiet=True).run("filter")
