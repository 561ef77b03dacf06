"""Servers that refuse, stumble, ask for pauses or hang."""

import socket
import time
from threading import Event

import pytest

from mmrl.catalog.reasons import Reason
from mmrl.images.fetching.fetch import Fetcher
from mmrl.images.fetching.hosts import LEFT_ALONE_AFTER
from mmrl.images.image import FetchedImage, Refused
from tests.support.command import HANGS
from tests.support.fetching import fetch_one, reason, settings
from tests.support.image_server import (
    Handler,
    ImageServer,
    answer,
    dribble,
    image_file,
)


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone_is_asked_for_once(image_host: ImageServer, status: int) -> None:
    got = fetch_one(image_host.serve("/a.jpg", image_file(), status))
    assert isinstance(got, Refused)
    assert (got.reason, got.transient) == (Reason.IMAGE_GONE, False)
    assert image_host.asked["/a.jpg"] == 1


@pytest.mark.parametrize(("status", "later"), [(403, True), (401, False), (451, False)])
def test_a_forbidden_image_is_asked_for_once_and_403_again_in_a_later_run(
    image_host: ImageServer, status: int, later: bool
) -> None:
    got = fetch_one(image_host.serve("/a.jpg", b"", status))
    assert got == Refused(Reason.HTTP_ERROR, f"HTTP {status}", transient=later)
    assert image_host.asked["/a.jpg"] == 1


def test_a_host_that_is_down_does_not_hold_up_the_others(image_host: ImageServer) -> None:
    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    for number in range(60):
        image_host.pages[f"/dead/{number}"] = hang_up
    dead = [image_host.url(f"/dead/{number}", "dead.localhost") for number in range(60)]
    alive = image_host.serve("/a.jpg", image_file())
    found = Fetcher(settings(per_host=4, attempts=1), resolve=here).fetch([*dead, alive])
    assert isinstance(found[alive], FetchedImage)
    assert all(
        (got.reason, got.transient) == (Reason.NETWORK_ERROR, True)
        for got in found.values()
        if isinstance(got, Refused)
    )
    assert LEFT_ALONE_AFTER <= image_host.asked.total() - 1 < LEFT_ALONE_AFTER + 4


def test_a_server_that_stumbles_is_asked_again(image_host: ImageServer) -> None:
    url = image_host.script(
        "/a.jpg", hang_up, lambda h: answer(h, b"", 503), lambda h: answer(h, image_file())
    )
    assert isinstance(fetch_one(url, attempts=3), FetchedImage)
    assert image_host.asked["/a.jpg"] == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_keeps_failing_is_left_for_later(
    image_host: ImageServer, status: int
) -> None:
    got = fetch_one(image_host.serve("/a.jpg", b"", status), attempts=2)
    assert got == Refused(Reason.HTTP_ERROR, f"HTTP {status}", transient=True)
    assert image_host.asked["/a.jpg"] == 2


def test_a_pause_that_a_server_asks_for_holds_for_all_its_images(image_host: ImageServer) -> None:
    times: list[float] = []

    def busy(handler: Handler) -> None:
        times.append(time.monotonic())
        answer(handler, b"", 429, {"Retry-After": "1"})

    def good(handler: Handler) -> None:
        times.append(time.monotonic())
        answer(handler, image_file())

    first, second = image_host.script("/a.jpg", busy, good), image_host.script("/b.jpg", good)
    found = Fetcher(settings(per_host=1)).fetch([first, second])
    assert all(isinstance(got, FetchedImage) for got in found.values())
    assert len(times) == 3
    assert min(times[1:]) - times[0] >= 0.99


def test_a_server_that_asks_for_a_long_pause_is_left_for_later(image_host: ImageServer) -> None:
    got = fetch_one(image_host.serve("/a.jpg", b"", 503, Retry_After="3600"), attempts=4)
    assert got == Refused(Reason.HTTP_ERROR, "HTTP 503", transient=True)
    assert image_host.asked["/a.jpg"] == 1


@pytest.mark.slow
def test_a_server_that_dribbles_is_cut_at_the_time_limit(image_host: ImageServer) -> None:
    given_up = Event()
    url = image_host.script("/a.jpg", lambda handler: dribble(handler, given_up, image_file()))
    got = fetch_one(url, timeout_seconds=3, attempts=1)
    assert got == Refused(Reason.NETWORK_ERROR, "no whole answer within 3 s", transient=True)
    assert given_up.wait(HANGS)


def test_nobody_listening_is_a_network_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.jpg"
        got = fetch_one(url)
    assert isinstance(got, Refused)
    assert (got.reason, got.transient) == (Reason.NETWORK_ERROR, True)


def test_an_answer_that_is_no_http_is_a_network_error(image_host: ImageServer) -> None:
    def nonsense(handler: Handler) -> None:
        handler.wfile.write(b"220 smtp.example ready\r\n\r\n")
        handler.close_connection = True

    assert reason(image_host.script("/a.jpg", nonsense)) == Reason.NETWORK_ERROR
