"""Fetching, against a real server: what it keeps, and how it behaves."""

import threading

import pytest

import mmrl
from mmrl.catalog.reasons import Reason
from mmrl.images.fetching.fetch import Fetcher
from mmrl.images.image import FetchedImage, Refused
from tests.support.command import HANGS
from tests.support.fetching import fetch_one, reason, settings
from tests.support.image_server import (
    Handler,
    ImageServer,
    answer,
    image_file,
)


def test_an_image_comes_with_its_bytes_and_facts(image_host: ImageServer) -> None:
    data = image_file(1, (96, 64))
    got = fetch_one(image_host.serve("/a.jpg", data))
    assert isinstance(got, FetchedImage)
    assert got.data == data
    assert (got.facts.width, got.facts.height, got.facts.format) == (96, 64, "JPEG")
    assert got.final_url == image_host.url("/a.jpg")


def test_it_says_who_it_is_and_takes_no_packed_answers(image_host: ImageServer) -> None:
    fetch_one(image_host.serve("/a.jpg", image_file()))
    sent = {name.lower(): value for name, value in image_host.headers[0].items()}
    assert sent["user-agent"].startswith(f"mmrl/{mmrl.__version__} ")
    assert sent["accept-encoding"] == "identity"
    assert sent["host"] == f"127.0.0.1:{image_host.port}"


def test_connections_are_used_again_and_a_host_is_not_crowded(image_host: ImageServer) -> None:
    together = threading.Barrier(3)

    def beside_two_others(handler: Handler) -> None:
        together.wait(HANGS)
        answer(handler, image_file(int(handler.path[1:])))

    for number in range(60):
        image_host.pages[f"/{number}"] = beside_two_others
    urls = [image_host.url(f"/{number}") for number in range(60)]
    found = Fetcher(settings(per_host=3)).fetch(urls)
    assert all(isinstance(got, FetchedImage) for got in found.values())
    assert image_host.connections <= 3
    assert image_host.most_busy == 3


def test_a_missing_image_costs_no_connection(image_host: ImageServer) -> None:
    urls = [image_host.url(f"/missing/{number}") for number in range(20)]
    found = Fetcher(settings(per_host=1)).fetch(urls)
    assert {got.reason for got in found.values() if isinstance(got, Refused)} == {Reason.IMAGE_GONE}
    assert image_host.connections == 1


def test_all_hosts_together_keep_to_the_whole_limit(image_host: ImageServer) -> None:
    together = threading.Barrier(4)

    def beside_three_others(handler: Handler) -> None:
        together.wait(HANGS)
        answer(handler, image_file())

    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    image_host.pages["/a"] = beside_three_others
    urls = [image_host.url("/a", f"h{number}.localhost") for number in range(12)]
    Fetcher(settings(concurrency=4), resolve=here).fetch(urls)
    assert image_host.most_busy == 4


def test_an_address_is_asked_for_once_however_often_it_is_given(image_host: ImageServer) -> None:
    url = image_host.serve("/a.jpg", image_file())
    assert len(Fetcher(settings()).fetch([url, url, url])) == 1
    assert image_host.asked["/a.jpg"] == 1


def test_imgurs_address_for_removed_images_is_never_asked_for(image_host: ImageServer) -> None:
    url = image_host.serve("/a.jpg", b"", 302, Location="https://i.imgur.com/removed.png")
    assert reason(url) == Reason.IMAGE_REMOVED_PLACEHOLDER


@pytest.mark.parametrize(
    ("tag", "refused"),
    [
        ("noai", True),
        ("noindex, NOIMAGEAI", True),
        ("mmrl: noai", True),
        ("unavailable_after: 1 Jan 2030 00:00:00 GMT, noai", True),
        ("otherbot: noai, noimageai", False),
        ("noindex, nofollow", False),
        ("all", False),
    ],
)
def test_a_server_that_asks_machines_not_to_learn_is_heeded(
    image_host: ImageServer, tag: str, refused: bool
) -> None:
    got = fetch_one(image_host.serve("/a.jpg", image_file(), X_Robots_Tag=tag))
    assert isinstance(got, Refused) == refused
    if isinstance(got, Refused):
        assert got.reason == Reason.OPTED_OUT


def test_hundreds_of_images_share_a_few_connections(image_host: ImageServer) -> None:
    body = image_file(4, (320, 240))
    urls = [image_host.serve(f"/{number}.jpg", body) for number in range(400)]
    found = Fetcher(settings()).fetch(urls)
    assert all(isinstance(got, FetchedImage) for got in found.values())
    assert image_host.connections <= 8


def test_images_under_way_share_a_bounded_memory_and_each_call_brings_some(
    image_host: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = image_file(1) + bytes(90_000)
    urls = [image_host.serve(f"/{number}.jpg", data) for number in range(12)]
    monkeypatch.setattr("mmrl.images.fetching.fetch.MOST_HELD_BYTES", 4 * len(data))
    fetcher = Fetcher(settings(max_bytes=100_000))
    left, most = list(urls), 0
    for _ in urls:
        got = fetcher.fetch(left)
        assert got
        assert all(isinstance(image, FetchedImage) for image in got.values())
        most = max(most, len(got))
        left = [url for url in left if url not in got]
        if not left:
            break
    assert left == []
    assert most <= 4


def test_an_image_larger_than_all_memory_for_images_still_comes(
    image_host: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrl.images.fetching.fetch.MOST_HELD_BYTES", 10)
    assert isinstance(fetch_one(image_host.serve("/a.jpg", image_file(1))), FetchedImage)
