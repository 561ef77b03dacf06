"""Redirects and names: where they may lead, and where nothing is fetched."""

import socket

import pytest

from mmrl.catalog.reasons import Reason
from mmrl.images.fetching.fetch import Fetcher
from mmrl.images.image import FetchedImage, Refused
from tests.support.fetching import fetch_one, reason, settings
from tests.support.image_server import (
    Handler,
    ImageServer,
    image_file,
)


def test_redirects_are_followed_a_few_times(image_host: ImageServer) -> None:
    image_host.serve("/b.jpg", image_file())
    url = image_host.serve("/a.jpg", b"moved", 302, Location="b.jpg")
    got = fetch_one(url)
    assert isinstance(got, FetchedImage)
    assert got.final_url == image_host.url("/b.jpg")
    circle = image_host.serve("/c.jpg", b"", 301, Location="/c.jpg")
    assert reason(circle) == Reason.HTTP_ERROR
    assert image_host.asked["/c.jpg"] == 6


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/a.jpg",
        "http://[fd00::1]/a.jpg",
        "file:///etc/passwd",
        "https://elsewhere.example/a.jpg",
        "//elsewhere.example/a.jpg",
        "http://i.redd.it@10.0.0.1/",
    ],
)
def test_a_redirect_to_where_nothing_is_fetched_is_refused(
    image_host: ImageServer, target: str
) -> None:
    got = fetch_one(image_host.serve("/a.jpg", b"", 302, Location=target))
    assert isinstance(got, Refused)
    assert (got.reason, got.transient) == (Reason.HOST_NOT_ALLOWED, False)


@pytest.mark.parametrize(
    "number", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0"]
)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_an_allowed_name_that_resolves_to_a_private_address_is_refused(
    image_host: ImageServer, number: str, allow_loopback: bool
) -> None:
    async def rebound(host: str, port: int) -> list[str]:
        return [number]

    images = settings(allow_loopback=allow_loopback, allowed_hosts=["images.example"])
    url = "http://images.example/a.jpg"
    got = Fetcher(images, resolve=rebound).fetch([url])[url]
    assert isinstance(got, Refused)
    assert (got.reason, got.transient) == (Reason.HOST_NOT_ALLOWED, True)
    assert "not public" in got.detail
    assert image_host.connections == 0


def test_the_name_is_looked_up_once_for_a_connection(image_host: ImageServer) -> None:
    image_host.serve("/a.jpg", image_file())
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def changing(host: str, port: int) -> list[str]:
        return answers.pop(0)

    url = image_host.url("/a.jpg", "images.localhost")
    assert isinstance(Fetcher(settings(), resolve=changing).fetch([url])[url], FetchedImage)
    assert answers == [["10.0.0.1"]]


def test_loopback_is_refused_unless_it_is_allowed(image_host: ImageServer) -> None:
    url = image_host.serve("/a.jpg", image_file())
    assert reason(url, allow_loopback=False) == Reason.HOST_NOT_ALLOWED
    assert image_host.connections == 0


def test_a_name_that_does_not_resolve_is_a_network_error() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    url = "https://i.redd.it/a.jpg"
    got = Fetcher(settings(), resolve=unknown).fetch([url])[url]
    assert isinstance(got, Refused)
    assert (got.reason, got.transient) == (Reason.NETWORK_ERROR, True)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/my cat.jpg", "/my%20cat.jpg"),
        ("/señor/猫.jpg", "/se%C3%B1or/%E7%8C%AB.jpg"),
        ("/already%20quoted é.jpg", "/already%20quoted%20%C3%A9.jpg"),
        ("/q.jpg?title=a b&x=é", "/q.jpg?title=a%20b&x=%C3%A9"),
    ],
)
def test_a_redirect_is_quoted_once(image_host: ImageServer, location: str, path: str) -> None:
    def redirect(handler: Handler) -> None:
        head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        handler.wfile.write(head.encode())

    image_host.serve(path, image_file(2))
    got = fetch_one(image_host.script("/go", redirect))
    assert isinstance(got, FetchedImage), got
    assert got.final_url == image_host.url(path)
    assert image_host.asked[path] == 1
