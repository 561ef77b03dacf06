"""A real browser and a real server for it: the system's Chromium, driven by Playwright."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.types import ASGIApp

from mmrl.web.requests.listen import address, bound, server_of
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str:
    """The path of the system's Chromium; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("needs Chromium on the system: apt-get install chromium")
    return found


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A browser while the block lasts."""
    path = find_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of an application that is served while the block lasts."""
    with bound("127.0.0.1", 0) as listening:
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        eventually(lambda: server.started)
        try:
            yield address(listening).rstrip("/")
        finally:
            server.should_exit = True
            thread.join()
