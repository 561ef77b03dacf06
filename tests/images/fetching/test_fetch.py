"""Fetching, against a real server: what it keeps, what it refuses and why, how it behaves."""

import gzip
import socket
import threading
import time
import zlib
from threading import Event

import pytest

import mmrl
from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.fetching.fetch import Fetcher
from mmrl.images.fetching.hosts import LEFT_ALONE_AFTER
from mmrl.images.image import FetchedImage, Refused
from tests.support.command import HANGS
from tests.support.image_server import (
    Handler,
    ImageServer,
    answer,
    dribble,
    image_file,
)


def settings(**changes: object) -> ImageSettings:
    return ImageSettings.model_validate(
        {"allow_loopback": True, "timeout_seconds": 60, "attempts": 2, **changes}
    )


def fetch_one(url: str, **changes: object) -> FetchedImage | Refused:
    return Fetcher(settings(**changes), seed=0).fetch([url])[url]


def reason(url: str, **changes: object) -> Reason:
    got = fetch_one(url, **changes)
    assert isinstance(got, Refused), got
    return got.reason


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


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
