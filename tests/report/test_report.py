"""The report: whole, escaped, and nothing loaded from anywhere."""

import base64
import dataclasses
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.errors import Failure
from mmrl.learning.evaluation.record import Evaluation
from mmrl.report.build import build_report
from mmrl.report.examples import clean_title, find_misses
from mmrl.report.funnel import left_out, steps
from mmrl.report.svg import Canvas
from mmrl.report.unit import SCORE
from tests.support.command import printed
from tests.support.report_factory import (
    AS_OF,
    HOSTILE_TITLES,
    PLAIN_TITLES,
    fill_catalog,
    make_evaluation,
    make_history,
    make_predictions,
)

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What a browser would make of a page, as far as these tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.titles: list[str] = []
        self.styles: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self._in_title = self._in_style = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "p" and dict(attrs).get("class") == "title":
            self._in_title = True
            self.titles.append("")
        if tag == "style":
            self._in_style = True
            self.styles.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._in_title = self._in_title and tag != "p"
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_title:
            self.titles[-1] += data
        if self._in_style:
            self.styles[-1] += data


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, pa.Table]:
    """A catalog whose titles are hostile, and the test predictions of its posts."""
    catalog = Catalog.open(tmp_path_factory.mktemp("report") / "home", create=True)
    predictions = make_predictions(220)
    fill_catalog(catalog, predictions, HOSTILE_TITLES)
    return catalog, predictions


def built(filled: tuple[Catalog, pa.Table], out: Path) -> Path:
    """The report of the catalog's posts and predictions, marked as simulated."""
    catalog, predictions = filled
    return build_report(
        *(catalog, make_evaluation(), predictions, make_history()),
        simulated=True,
        as_of=AS_OF,
        out=out,
    )


@pytest.fixture(scope="module")
def written_report(
    filled: tuple[Catalog, pa.Table], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return built(filled, tmp_path_factory.mktemp("out") / "new folder" / "report.html")


@pytest.fixture(scope="module")
def page(written_report: Path) -> Page:
    return Page(written_report.read_text())


def test_a_report_is_one_small_well_formed_file(written_report: Path, page: Page) -> None:
    assert page.open == []
    assert written_report.stat().st_size < 3_000_000
    assert [path.name for path in written_report.parent.iterdir()] == ["report.html"]


def test_hostile_titles_are_shown_as_text_and_make_no_tags(page: Page) -> None:
    shown = set(page.titles)
    assert shown <= {clean_title(title) for title in HOSTILE_TITLES}
    assert {"<script>alert('x')</script>", '"><img src=x onerror=alert(1)>'} & shown
    assert "a $\\frac{1}{0}$ and $x$ formula {{ 7 * 7 }} {% raw %}" in shown
    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]


def test_nothing_is_loaded_from_anywhere(written_report: Path, page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "action", "poster", "data"):
            target = attributes.get(name)
            assert target is None or target.startswith(("data:image/jpeg;base64,", "#"))
    assert "url(" not in page.styles[0]
    assert "@import" not in page.styles[0]
    assert "http:" not in written_report.read_text()


def test_the_policy_allows_only_the_one_stylesheet_and_inline_images(page: Page) -> None:
    policy = next(
        attributes["content"]
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert len(page.styles) == 1
    digest = base64.b64encode(hashlib.sha256(page.styles[0].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert "unsafe" not in policy
    # A style attribute would be refused by that policy, and what it says would be lost.
    assert not [tag for tag, attributes in page.tags if "style" in attributes]


def test_every_class_that_a_figure_uses_is_in_the_stylesheet(page: Page) -> None:
    used = {
        attributes["class"]
        for tag, attributes in page.tags
        if re.fullmatch(r"s\d+", attributes.get("class") or "")
    }
    assert len(used) > 20
    assert all(f".{name}{{" in page.styles[0] for name in used if name)


def test_ids_are_unique_and_every_reference_has_its_target(written_report: Path) -> None:
    text = written_report.read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    for pair in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text):
        assert "".join(pair) in ids


def test_every_figure_and_image_says_what_it_shows(page: Page) -> None:
    figures = [attributes for tag, attributes in page.tags if attributes.get("role") == "img"]
    image_files = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(figures) >= 11
    assert len(image_files) == 18
    assert all(len(attributes["aria-label"] or "") > 40 for attributes in figures)
    assert all(attributes["alt"] for attributes in image_files)


def test_chances_of_removal_are_told_beside_the_rates_with_their_reliability(page: Page) -> None:
    told = " ".join(page.text.split())
    assert "the Brier score is 0.0520 (0.0460 to 0.0580), that of the subreddits' rates" in told
    assert "the AUC is 0.77 (0.72 to 0.82) against 0.58" in told
    assert "said 11.0%, came 12.0%" in str(page.tags)


def test_simulated_data_is_called_simulated_and_real_data_is_not(
    filled: tuple[Catalog, pa.Table], page: Page, tmp_path: Path
) -> None:
    assert "Simulated data." in page.text
    catalog, predictions = filled
    real = build_report(
        catalog,
        make_evaluation(ceiling=False, wins=False),
        predictions,
        make_history(1, ceiling=False),
        simulated=False,
        as_of=AS_OF,
        out=tmp_path / "real.html",
    ).read_text()
    text = Page(real).text
    assert "Simulated data." not in text
    assert "The model does not beat every baseline" in text
    assert "There is one model version so far" in text
    assert "The noise ceiling (how well anybody could do) is not known" in text


def html_of(catalog: Catalog, predictions: pa.Table, evaluation: Evaluation, folder: Path) -> str:
    """A report on a model of real posts, without a history."""
    out = build_report(
        catalog, evaluation, predictions, [], simulated=False, as_of=AS_OF, out=folder / "r.html"
    )
    return out.read_text()


def test_what_is_missing_is_said_to_be_unknown_and_why(
    filled: tuple[Catalog, pa.Table], tmp_path: Path
) -> None:
    catalog, predictions = filled
    evaluation = replace(make_evaluation(ceiling=False), ablation=[], calibration=[])
    for name in ("q10", "q50", "q90"):
        place = predictions.schema.get_field_index(name)
        nothing = pa.nulls(predictions.num_rows, pa.float64())
        predictions = predictions.set_column(place, name, nothing)
    text = Page(html_of(catalog, predictions, evaluation, tmp_path)).text
    assert "Not known: no test post has both a true and a predicted value." in text
    assert "Not known: ablation was turned off for this run" in text
    assert "No model version is on record" in text
    assert (
        "Not known for anyone: MAE, MSE, RMSE, R², MAPE (popularity is score / subscribers" in text
    )


def test_a_percentile_model_is_reported_in_percentiles(
    filled: tuple[Catalog, pa.Table], tmp_path: Path
) -> None:
    catalog, predictions = filled
    for name, value in (("q10", 0.2), ("q50", 0.5), ("q90", 0.8)):
        place = predictions.schema.get_field_index(name)
        constant = pa.array([value] * predictions.num_rows)
        predictions = predictions.set_column(place, name, constant)
    out = build_report(
        catalog,
        replace(make_evaluation(), target="percentile"),
        predictions,
        make_history(),
        simulated=True,
        as_of=AS_OF,
        out=tmp_path / "r.html",
    )
    text = Page(out.read_text()).text
    assert "true percentile" in text
    assert "percentage points" in text
    assert "a factor of" not in text.split("Hits and misses")[2]


def test_a_leaking_split_is_said_to_leak(filled: tuple[Catalog, pa.Table], tmp_path: Path) -> None:
    splits = replace(make_evaluation().splits, kind="random", leaking=True, gap_hours=0.0)
    html = html_of(*filled, replace(make_evaluation(), splits=splits), tmp_path)
    assert "Leaking split." in Page(html).text


def test_a_small_set_s_blocks_of_test_posts_are_told_and_drawn(
    filled: tuple[Catalog, pa.Table], tmp_path: Path
) -> None:
    splits = make_evaluation().splits
    several = replace(splits, earlier_tests=[splits.validation])
    html = html_of(*filled, replace(make_evaluation(), splits=several), tmp_path)
    page = Page(html)
    assert "Judged on 570 posts in 2 blocks" in page.text
    assert "those of the newest block" in page.text
    days = f"{splits.validation.start:%Y-%m-%d} to {splits.validation.end:%Y-%m-%d}"
    assert f"earlier test from {days}" in html


def test_the_same_input_gives_the_same_bytes(
    filled: tuple[Catalog, pa.Table], written_report: Path, tmp_path: Path
) -> None:
    again = built(filled, tmp_path / "again.html")
    assert again.read_bytes() == written_report.read_bytes()


def test_an_unwritable_place_is_one_clear_sentence_and_leaves_nothing(
    filled: tuple[Catalog, pa.Table], tmp_path: Path
) -> None:
    catalog, predictions = filled
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Failure, match=r"can't be written to .*--out"):
        build_report(
            catalog,
            make_evaluation(),
            predictions,
            [],
            simulated=True,
            as_of=AS_OF,
            out=tmp_path / "file" / "report.html",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_misses_are_the_largest_errors_and_hits_are_close_calls_on_high_scores(
    filled: tuple[Catalog, pa.Table],
) -> None:
    catalog, predictions = filled
    errors = {row["post_id"]: row["log_score"] - row["q50"] for row in predictions.to_pylist()}
    true = dict(
        zip(*(predictions[name].to_pylist() for name in ("post_id", "log_score")), strict=True)
    )
    found = find_misses(catalog, predictions, SCORE)
    ranked = sorted(errors, key=lambda post: -errors[post])
    assert [example.post_id for example in found.under] == ranked[:6]
    assert [example.post_id for example in found.over] == ranked[:-7:-1]
    floor = sorted(true.values())[int(0.75 * len(true)) - 1]
    assert all(true[example.post_id] >= floor for example in found.hits)
    assert max(abs(errors[hit.post_id]) for hit in found.hits) < 0.5


def test_images_of_marked_posts_are_blurred_and_said_to_be(
    filled: tuple[Catalog, pa.Table],
) -> None:
    catalog, predictions = filled
    found = find_misses(catalog, predictions, SCORE)
    examples = [*found.under, *found.over, *found.hits]
    marked = [e for e in examples if int(e.post_id[1:]) % 7 == 0 or int(e.post_id[1:]) % 11 == 0]
    assert marked
    assert all("blurred" in example.note for example in marked)
    assert not any(example.note for example in examples if example not in marked)


def test_what_was_left_out_is_counted_by_stage_and_reason(
    filled: tuple[Catalog, pa.Table],
) -> None:
    catalog, _ = filled
    counts = {(row.stage, row.reason): (row.items, row.again) for row in left_out(catalog)}
    assert counts["filter", "no_image"] == (120, 0)
    assert counts["fetch-images", "image_gone"] == (17, 0)
    assert counts["fetch-images", "network_error"] == (5, 5)
    assert counts["merge", "too_young"][0] + counts["merge", "score_not_settled"][0] == 70
    by_name = {step.name: step.posts for step in steps(catalog, make_evaluation().splits)}
    assert by_name["kept by the filter"] == 700
    assert by_name["with their image"] == 220
    assert by_name["with a label"] == 430


def test_where_samples_need_no_image_the_way_counts_samples(
    filled: tuple[Catalog, pa.Table],
) -> None:
    catalog, _ = filled
    row = catalog.read("samples").slice(0, 1)
    place = row.schema.get_field_index("image_content")
    lacking = row.set_column(place, "image_content", pa.nulls(1, pa.string()))
    before = catalog.read("samples")
    catalog.upsert("samples", lacking)
    by_name = {step.name: step.posts for step in steps(catalog, make_evaluation().splits)}
    catalog.upsert("samples", before)
    assert by_name["with a sample (1 without an image)"] == 500
    assert "with their image" not in by_name


@given(st.text())
def test_any_title_becomes_one_bounded_line(title: str) -> None:
    shown = clean_title(title)
    assert len(shown) <= 300
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", shown)


def test_text_in_plots_is_neither_markup_nor_a_formula() -> None:
    hostile = "<script>alert(1)</script> $\\frac{1}{0$ &amp;"

    def paint(figure: object) -> None:
        figure.subplots().set_title(hostile)  # type: ignore[attr-defined]

    drawn = Canvas().draw(paint, width=300, height=200, alt=hostile)
    assert "<script" not in drawn
    parsed = Page(str(drawn))
    assert hostile in parsed.text
    assert parsed.tags[0][1]["aria-label"] == hostile


def test_importing_the_report_loads_no_plotting_library() -> None:
    code = (
        "import sys, json, mmrl.report, mmrl.cli.terminal.tables;"
        "print(json.dumps([name for name in ('matplotlib', 'scipy') if name in sys.modules]))"
    )
    assert json.loads(printed(code)) == []


def test_plain_titles_come_through_unchanged() -> None:
    assert [clean_title(title) for title in PLAIN_TITLES] == list(PLAIN_TITLES)


def test_steps_say_what_the_window_and_the_most_posts_left_out(catalog: Catalog) -> None:
    splits = dataclasses.replace(make_evaluation().splits, too_old=500, thinned_out=66)
    by_name = {step.name: step.posts for step in steps(catalog, splits)}
    chosen = 1_180 + 170 + 400 + 84  # the gap's posts are chosen, too
    assert by_name["within train.window_days"] == chosen + 66
    assert by_name["of these chosen, by train.max_posts"] == chosen
    assert by_name["in this model's splits"] == chosen - 84
