"""Failures: when they are due again, and what is given up."""

from datetime import datetime, timedelta

from mmrl.catalog import Catalog, Failed, Reason
from tests.support.catalog_rows import NOON


def open_failures(catalog: Catalog, stage: str, as_of: datetime) -> set[str]:
    return set(catalog.open_failures(stage, as_of).to_pylist())


def test_a_failure_waits_twice_as_long_each_time_and_a_permanent_one_for_ever(
    catalog: Catalog,
) -> None:
    catalog.fail("fetch-images", [Failed("gone", Reason.IMAGE_GONE)], NOON)
    busy = Failed("busy", Reason.HTTP_ERROR, "503", transient=True)
    catalog.fail("fetch-images", [busy], NOON)
    assert open_failures(catalog, "fetch-images", NOON) == {"gone", "busy"}
    assert open_failures(catalog, "fetch-images", NOON + timedelta(minutes=11)) == {"gone"}
    later = NOON + timedelta(minutes=11)
    catalog.fail("fetch-images", [busy], later)
    assert open_failures(catalog, "fetch-images", later + timedelta(minutes=19)) >= {"busy"}
    assert open_failures(catalog, "fetch-images", later + timedelta(minutes=21)) == {"gone"}
    row = catalog.read("failures", where="key = 'busy'").to_pylist()[0]
    assert (row["attempts"], row["reason"], row["detail"]) == (2, "http_error", "503")
    catalog.clear_failures("fetch-images", ["busy"])
    assert catalog.count("failures") == 1


def test_what_fails_for_a_month_is_given_up(catalog: Catalog) -> None:
    busy = Failed("busy", Reason.HTTP_ERROR, "503", transient=True)
    time, tries = NOON, 0
    while "busy" not in open_failures(catalog, "fetch-images", time):
        catalog.fail("fetch-images", [busy], time)
        time, tries = time + timedelta(days=1), tries + 1
        assert tries < 100
    assert tries == 40
    (row,) = catalog.read("failures").to_pylist()
    assert (row["attempts"], row["retry_after"]) == (40, None)


def test_what_a_budget_left_out_is_never_given_up(catalog: Catalog) -> None:
    time = NOON
    for _ in range(50):
        assert open_failures(catalog, "caption", time) == set()
        catalog.fail("caption", [Failed("x", Reason.CAPTION_BUDGET_SPENT, None, True)], time)
        time += timedelta(hours=1)
    (row,) = catalog.read("failures").to_pylist()
    assert row["attempts"] == 0


def test_the_same_key_may_fail_in_two_stages(catalog: Catalog) -> None:
    catalog.fail("caption", [Failed("x", Reason.BROKEN_IMAGE)], NOON)
    catalog.fail("embed-image", [Failed("x", Reason.BROKEN_IMAGE)], NOON)
    assert catalog.count("failures") == 2


def test_every_reason_has_its_sentence() -> None:
    assert all(reason.sentence for reason in Reason)
