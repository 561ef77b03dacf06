"""The page in a real browser, as a person uses it; skipped where the system has no Chromium."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mmrl.web.app import make_app
from mmrl.web.champion import Champion
from tests.support.browser import chromium, find_chromium, served
from tests.support.command import HANGS
from tests.support.served_home import picture, serve_home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FileChooser, Page

pytestmark = pytest.mark.slow

TITLES = ("Lake at dawn", "A quiet morning", "<img src=x onerror=alert(1)> <b>bold</b>")
SIZES = [(1400, "light"), (1400, "dark"), (390, "light"), (390, "dark")]
OTHERS = ("communities", "communities/SimPics", "model", "docs", "login")
_DROP = """([selector, files]) => {
  const transfer = new DataTransfer();
  for (const [name, data] of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  const target = document.querySelector(selector);
  target.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The system's Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(served_home: Path, champion: Champion) -> Iterator[str]:
    """The address of a server of a home with a model."""
    find_chromium()
    with served(make_app(serve_home(served_home, champion))) as url:
        yield url


@pytest.fixture
def page(browser: "Browser", site: str) -> "Iterator[Page]":
    """The page at 1400 pixels; a complaint of the browser or a request elsewhere is a failure."""
    yield from opened(browser, site)


def opened(
    browser: "Browser", site: str, width: int = 1400, scheme: str = "light"
) -> "Iterator[Page]":
    """The page in a new window, watched."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(1000 * HANGS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
    context.on(
        "request",
        lambda asked: (
            None
            if urlsplit(asked.url).netloc == urlsplit(site).netloc
            else wrong.append(f"asked elsewhere: {asked.url}")
        ),
    )
    page.goto(site)
    yield page
    context.close()
    assert wrong == []


def drop(page: "Page", *colours: str) -> None:
    """Drops pictures on the page, and waits until they are there."""
    files = [[f"{colour}.jpg", base64.b64encode(picture(colour)).decode()] for colour in colours]
    page.evaluate(_DROP, [".drop", files])
    page.locator("#pictures li").nth(len(colours) - 1).wait_for()


def fill(page: "Page") -> None:
    """Two pictures, three titles, a community, now."""
    drop(page, "red", "blue")
    page.get_by_label("Titles, one a line").fill("\n".join(TITLES))
    page.get_by_label("r/SimPics").check()
    page.get_by_label("Now", exact=True).check()


PANELS = (("why", "Why"), ("when", "When"), ("like", "Like it"), ("stay", "Will it stay?"))


def rank(page: "Page") -> None:
    """Fills the form and reads the ranking."""
    fill(page)
    page.get_by_role("button", name="Rank them").click()
    page.locator(".ranking tbody tr").first.wait_for()


def test_pictures_and_titles_are_ranked_explained_and_moved_to_another_hour(page: "Page") -> None:
    rank(page)
    rows = page.locator(".ranking tbody tr")
    assert rows.count() == 2 * 3
    assert "better than" in rows.first.inner_text()
    assert page.locator("#zone").input_value() == "Europe/Berlin"
    page.get_by_role("link", name="Why: draft 1", exact=True).click()
    page.locator("#why").wait_for()
    assert "hour and day" in page.locator("#closer").inner_text()
    assert page.evaluate("document.activeElement.id") == "why"
    page.get_by_role("link", name="When: draft 2", exact=True).click()
    page.locator("#when").wait_for()
    assert page.locator(".hours td").count() == 7 * 24
    page.get_by_label("The best hour of the next seven days").check()
    page.get_by_role("button", name="Rank them").click()
    page.get_by_text("at the best of its 168 hours").wait_for()
    assert rows.count() == 2 * 3


def test_a_title_that_is_markup_is_shown_as_text(page: "Page") -> None:
    rank(page)
    shown = page.locator(".ranking .title").all_inner_texts()
    assert TITLES[2] in shown
    assert page.locator(".ranking .title img, .ranking .title b").count() == 0


def test_back_and_reload_keep_the_form_and_the_ranking(page: "Page") -> None:
    rank(page)
    ranked = page.locator(".ranking").inner_text()
    page.reload()
    assert page.locator(".ranking").inner_text() == ranked
    assert page.locator("#pictures li").count() == 2
    page.get_by_role("link", name="Communities").click()
    page.go_back()
    assert page.locator(".ranking").inner_text() == ranked
    assert page.get_by_label("Titles, one a line").input_value() == "\n".join(TITLES)
    assert page.get_by_label("r/SimPics").is_checked()
    assert page.locator("#pictures input:checked").count() == 2


def test_reload_opens_what_was_open_below_the_ranking(page: "Page") -> None:
    rank(page)
    page.get_by_role("link", name="When: draft 2", exact=True).click()
    page.locator("#when").wait_for()
    page.reload()
    page.locator("#when").wait_for()
    assert page.locator(".ranking tbody tr").count() == 2 * 3


def test_a_picture_is_pasted(page: "Page") -> None:
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "red.jpg", { type: "image/jpeg" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        list(picture("red")),
    )
    page.locator("#pictures li").first.wait_for()
    assert "1 picture was added." in page.locator("#picture-said").inner_text()


def test_what_is_no_picture_is_said_beside_the_pictures(page: "Page", tmp_path: Path) -> None:
    page.get_by_label("Titles, one a line").fill("Lake at dawn")
    file = tmp_path / "notes.txt"
    file.write_text("no picture")
    page.get_by_label("Drop pictures here").set_input_files(file)
    page.get_by_text("notes.txt: ").wait_for()
    assert page.get_by_label("Titles, one a line").input_value() == "Lake at dawn"


def reach(page: "Page", selector: str, key: str = "Tab") -> None:
    """Goes on with Tab, or back with Shift+Tab, until the focus is there."""
    for _ in range(120):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {selector}")


def test_a_person_with_a_keyboard_alone_ranks_asks_why_and_changes_the_hour(
    page: "Page", tmp_path: Path
) -> None:
    choosers: list[FileChooser] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    files = []
    for colour in ("red", "blue"):
        files.append(tmp_path / f"{colour}.jpg")
        files[-1].write_bytes(picture(colour))
    reach(page, "#files")
    page.keyboard.press("Space")
    while not choosers:
        page.wait_for_timeout(20)
    choosers[0].set_files(files)
    page.locator("#pictures li").nth(1).wait_for()
    reach(page, "#titles")
    page.keyboard.type(TITLES[0])
    for title in TITLES[1:]:
        page.keyboard.press("Enter")
        page.keyboard.type(title)
    reach(page, "#search")
    page.keyboard.type("simp")
    page.locator("#known label").filter(has_text="SimArt").wait_for(state="detached")
    reach(page, "input[name=community][value=SimPics]")
    page.keyboard.press("Space")
    reach(page, "input[name=when]")
    page.keyboard.press("ArrowDown")
    reach(page, "button.first")
    page.keyboard.press("Enter")
    page.locator(".ranking tbody tr").first.wait_for()
    assert page.locator(".ranking tbody tr").count() == 2 * 3
    reach(page, "a[aria-label='Why: draft 1']")
    page.keyboard.press("Enter")
    page.locator("#why").wait_for()
    assert page.evaluate("document.activeElement.id") == "why"
    reach(page, "input[name=when]", "Shift+Tab")
    page.keyboard.press("ArrowUp")
    reach(page, "button.first")
    page.keyboard.press("Enter")
    page.get_by_text("at the best of its 168 hours").wait_for()
    assert page.locator(".ranking tbody tr").count() == 2 * 3


def test_without_scripts_the_form_does_the_same(browser: "Browser", site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(1000 * HANGS)
    page = context.new_page()
    page.goto(site)
    files = [
        {"name": f"{colour}.jpg", "mimeType": "image/jpeg", "buffer": picture(colour)}
        for colour in ("red", "blue")
    ]
    page.locator("#files").set_input_files(files)  # type: ignore[arg-type]
    page.get_by_label("Titles, one a line").fill("\n".join(TITLES))
    page.get_by_label("r/SimPics").check()
    page.get_by_label("Now", exact=True).check()
    page.get_by_role("button", name="Rank them").click()
    page.locator(".ranking tbody tr").first.wait_for()
    assert page.locator(".ranking tbody tr").count() == 2 * 3
    page.get_by_role("link", name="Why: draft 1", exact=True).click()
    page.locator("h2#why").wait_for()
    context.close()


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_every_page_is_well_for_people_with_disabilities_and_fits(
    browser: "Browser", site: str, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe, found = Axe(), []

    def look(name: str) -> None:
        for wrong in axe.run(page).response["violations"]:
            found.append((name, wrong["id"], [node["html"] for node in wrong["nodes"]][:3]))
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append((name, "wider than the window", []))

    for page in opened(browser, site, width, scheme):
        look("empty")
        rank(page)
        look("ranking")
        for path, name in PANELS:
            page.get_by_role("link", name=f"{name}: draft 1", exact=True).click()
            page.locator(f"#{path}").wait_for()
            look(path)
        page.get_by_role("link", name="Why: draft 1", exact=True).click()
        page.get_by_role("link", name="What of the picture?").click()
        page.locator("#squares").wait_for()
        look("squares")
        # Each width and each scheme once: what they change, they change on every page alike.
        for path in OTHERS if (width, scheme) in (SIZES[0], SIZES[3]) else ():
            page.goto(f"{site}/{path}")
            look(path)
    assert found == []
