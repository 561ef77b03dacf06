"""Answers that are too long, cut short, packed or no image."""

import gzip
import time
import zlib

import pytest

from mmrl.catalog.reasons import Reason
from mmrl.images.image import FetchedImage, Refused
from tests.support.fetching import fetch_one, reason
from tests.support.image_server import (
    Handler,
    ImageServer,
    image_file,
)


def test_a_file_that_says_it_is_too_long_is_not_read(image_host: ImageServer) -> None:
    def boast(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "99999999")
        handler.end_headers()
        time.sleep(0.5)

    assert reason(image_host.script("/a.jpg", boast), max_bytes=1000) == Reason.TOO_MANY_BYTES


def test_a_stream_without_end_is_cut_at_the_limit(image_host: ImageServer) -> None:
    sent = 0

    def endless(handler: Handler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n" % (100, image_file()[:100]))
        while True:
            handler.wfile.write(b"%x\r\n%s\r\n" % (10_000, bytes(10_000)))
            sent += 10_000

    url = image_host.script("/a.jpg", endless)
    assert reason(url, max_bytes=100_000) == Reason.TOO_MANY_BYTES
    assert sent < 20_000_000


def test_a_page_is_given_up_after_its_first_bytes(image_host: ImageServer) -> None:
    url = image_host.serve("/a.jpg", b"<!doctype html>" + b" " * 5_000, Content_Type="image/jpeg")
    got = fetch_one(url)
    assert got == Refused(Reason.NOT_AN_IMAGE, "its server calls it image/jpeg")


@pytest.mark.parametrize("body", [b"", b"x", b"\xff\xd8\xff"])
def test_next_to_nothing_is_no_image(image_host: ImageServer, body: bytes) -> None:
    assert reason(image_host.serve("/a.jpg", body)) in (Reason.NOT_AN_IMAGE, Reason.BROKEN_IMAGE)


def test_an_image_counts_for_what_it_is_not_for_what_its_server_calls_it(
    image_host: ImageServer,
) -> None:
    url = image_host.serve("/a.jpg", image_file(2, image_format="PNG"), Content_Type="text/html")
    got = fetch_one(url)
    assert isinstance(got, FetchedImage)
    assert got.facts.format == "PNG"


def test_an_answer_cut_short_is_no_image(image_host: ImageServer) -> None:
    data = image_file(3, (600, 400))

    def cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True

    got = fetch_one(image_host.script("/a.jpg", cut))
    assert isinstance(got, Refused)
    assert (got.reason, got.transient) == (Reason.NETWORK_ERROR, True)


def packed(data: bytes, way: str) -> bytes:
    if way in ("gzip", "x-gzip"):
        return gzip.compress(data)
    deflate = zlib.compressobj(wbits=-15 if way == "raw" else 15)
    return deflate.compress(data) + deflate.flush()


@pytest.mark.parametrize("way", ["gzip", "x-gzip", "deflate", "raw"])
def test_an_image_that_was_packed_though_nobody_asked_is_unpacked(
    image_host: ImageServer, way: str
) -> None:
    data = image_file(1)
    named = "deflate" if way == "raw" else way
    got = fetch_one(image_host.serve("/a.jpg", packed(data, way), Content_Encoding=named))
    assert isinstance(got, FetchedImage)
    assert got.data == data


def test_a_packed_bomb_is_cut_at_the_limit(image_host: ImageServer) -> None:
    bomb = packed(image_file(1) + bytes(50_000_000), "gzip")
    assert len(bomb) < 60_000
    url = image_host.serve("/a.jpg", bomb, Content_Encoding="gzip")
    assert reason(url, max_bytes=100_000) == Reason.TOO_MANY_BYTES


@pytest.mark.parametrize(
    ("body", "way"),
    [(b"no gzip", "gzip"), (b"x", "br"), (packed(image_file(1), "gzip")[:-900], "gzip")],
)
def test_what_can_not_be_unpacked_is_broken(image_host: ImageServer, body: bytes, way: str) -> None:
    assert reason(image_host.serve("/a.jpg", body, Content_Encoding=way)) == Reason.BROKEN_IMAGE
