"""Tables as notebooks show them: strangers' words are escaped."""

from datetime import UTC, datetime

import pytest

from mmrl.runtime.html_tables import html_table
from mmrl.serving.prediction import Draft, Interval, Prediction, Predictions
from tests.support.report_factory import HOSTILE_TITLES


@pytest.mark.parametrize("text", HOSTILE_TITLES)
def test_no_text_is_markup_wherever_it_stands(text: str) -> None:
    shown = html_table([text], [[text], [None]], caption=text)
    for tag in ("<script", "<img", "<svg", "</style"):
        assert tag not in shown
    assert "\u202e" not in shown
    assert "\x00" not in shown


def test_numbers_times_and_gaps_are_cells() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    shown = html_table(["a"], [[1234567, 0.123456, True, None, moment]])
    for cell in ("1234567", "0.1235", "<td>True</td>", "<td></td>", "2026-11-01T00:00:00Z"):
        assert cell in shown


def test_a_prediction_s_title_is_escaped_and_what_is_not_known_is_said() -> None:
    hostile = HOSTILE_TITLES[0]
    interval = Interval(1.0, 2.0, 3.0)
    facts = (hostile, "pics", "2026-11-01T00:00:00Z", "1", interval, None, None, None, "tags")
    shown = Prediction(*facts, simulated=True, notes=[hostile])._repr_html_()
    assert "<script" not in shown
    assert "not known" in shown
    assert ">2<" in shown
    table = Predictions([Prediction(*facts, simulated=True, notes=[hostile])] * 2)._repr_html_()
    assert "<script" not in table
    assert table.count("<tr>") == 3
    assert table.count(">2<") == 2


def test_a_draft_shows_how_large_its_image_is_and_none_of_its_bytes() -> None:
    assert repr(Draft(bytes(3_000_000), "A lake", "pics")).startswith(
        "Draft(image=<3.0 MB>, title='A lake', subreddit='pics', author=None, "
    )
    assert "image=<0.3 kB>" in repr(Draft(memoryview(bytes(300)), "A lake", "pics"))
    assert "image='lake.png'" in repr(Draft("lake.png", "A lake", "pics"))
