"""Which hosts, addresses and numbers are let through: tricks included."""

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.image import Refused
from mmrl.images.safety import Address, address_allowed, check_url, host_allowed

IMAGES = ImageSettings()
SANDBOX = ImageSettings(allow_loopback=True)


def allowing(*hosts: str) -> ImageSettings:
    return ImageSettings(allowed_hosts=list(hosts))


@pytest.mark.parametrize(
    "host", ["i.redd.it", "I.Redd.IT", "i.redd.it.", "farm5.staticflickr.com", "i.imgur.com"]
)
def test_listed_hosts_are_allowed_in_any_case(host: str) -> None:
    assert host_allowed(host, IMAGES)


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "..", "redd.it", "xi.redd.it", "i.redd.it.evil.example", "i-redd.it"),
        *(
            "i.redd.it:80",
            "user@i.redd.it",
            "i.redd.it/",
            "i.redd.it..",
            "i.redd.it\n",
            " i.redd.it",
        ),
        *("i.redd.it%00.evil.example", "farm.evil.staticflickr.com", "і.redd.it"),  # Cyrillic і
        *("127.0.0.1", "localhost", "::1", "169.254.169.254", "2130706433", "0x7f.1"),
    ],
)
def test_other_hosts_and_tricks_are_not(host: str) -> None:
    assert not host_allowed(host, IMAGES)


def test_stars_stand_within_a_label_and_in_front_for_subdomains() -> None:
    assert host_allowed("a.example.org", allowing("*.example.org"))
    assert host_allowed("a.b.example.org", allowing("*.example.org"))
    assert not host_allowed("example.org", allowing("*.example.org"))
    assert not host_allowed("evilexample.org", allowing("*.example.org"))
    assert not host_allowed("i.redd.evil.org", allowing("i.redd.*"))
    assert host_allowed("anything.at.all", allowing("*"))
    assert not host_allowed("localhost", allowing("*"))


def test_names_in_other_scripts_are_one_with_their_ascii_form() -> None:
    for listed in ("bücher.example", "xn--bcher-kva.example", "BÜCHER.example"):
        for asked in ("bücher.example", "xn--bcher-kva.example", "Bücher.Example."):
            assert host_allowed(asked, allowing(listed))
    assert host_allowed("i。redd。it", IMAGES)  # the ideographic full stop is a dot (UTS 46)


def test_loopback_is_allowed_for_the_sandbox_alone() -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "images.localhost", "LOCALHOST."):
        assert host_allowed(host, SANDBOX)
        assert not host_allowed(host, IMAGES)


def test_an_address_is_taken_apart_once() -> None:
    assert check_url("HTTPS://I.Redd.it./a b.jpg".replace(" ", "%20"), IMAGES) == Address(
        "https", "i.redd.it", 443, "/a%20b.jpg"
    )
    assert check_url("http://i.imgur.com?x=ü#top", IMAGES) == Address(
        "http", "i.imgur.com", 80, "/?x=%C3%BC"
    )
    assert str(check_url("http://[::1]:8080/a", SANDBOX)) == "http://[::1]:8080/a"


def test_a_redirect_starts_from_where_it_came() -> None:
    base = Address("https", "i.redd.it", 443, "/x/a.jpg")
    assert str(check_url("b.jpg", IMAGES, base)) == "https://i.redd.it/x/b.jpg"
    assert str(check_url("//i.imgur.com/b.jpg", IMAGES, base)) == "https://i.imgur.com/b.jpg"
    assert isinstance(check_url("//evil.example/b.jpg", IMAGES, base), Refused)


@pytest.mark.parametrize(
    "url",
    [
        *("", "i.redd.it/a.jpg", "//i.redd.it/a.jpg", "https:///a.jpg", "https://"),
        *("ftp://i.redd.it/a", "file:///etc/passwd", "data:image/png;base64,AAAA", "javascript:1"),
        *("https://i.redd.it@evil.example/", "https://i.redd.it:pw@evil.example/"),
        *("https://user@i.redd.it/", "https://evil.example\\@i.redd.it/", "https://@i.redd.it/"),
        *("https://evil.example#@i.redd.it/", "https://evil.example?@i.redd.it/"),
        *("https://i.redd.it:22/a", "https://i.redd.it:80/a", "http://i.redd.it:443/a"),
        *("https://i.redd.it:99999/a", "https://i.redd.it:x/a", "https://[i.redd.it]/a"),
        *(
            "https://i.redd.it/a\r\nHost: evil.example",
            "https://i.re\tdd.it/a",
            "https://i.redd.it/a b",
        ),
        *("https://169.254.169.254/", "https://[::ffff:10.0.0.1]/", "https://0/"),
        "https://i.redd.it/" + "a" * 5_000,
    ],
)
def test_addresses_that_are_not_fetched_say_why(url: str) -> None:
    got = check_url(url, IMAGES)
    assert isinstance(got, Refused)
    assert (got.reason, got.transient) == (Reason.HOST_NOT_ALLOWED, False)
    assert got.detail


@given(st.text(max_size=80))
@example("http://[")
@example("https://i.redd.it/\ud800")
@example("https://\u2100.example/")
def test_no_text_makes_the_check_raise(text: str) -> None:
    for url in (text, f"https://{text}", f"https://i.redd.it{text}", f"https://{text}i.redd.it/"):
        assert isinstance(check_url(url, IMAGES), Address | Refused)
    assert isinstance(host_allowed(text, IMAGES), bool)


@given(st.text(alphabet="i.redtmgucom@:/\\#?%[]0123456789-_ ü。", max_size=40))
def test_whatever_passes_lies_on_an_allowed_host_for_every_reader(middle: str) -> None:
    got = check_url(f"https://{middle}", IMAGES)
    if isinstance(got, Address):
        assert got.host in IMAGES.allowed_hosts or got.host.startswith("farm")
        assert (got.port, got.scheme) == (443, "https")
        again = urlsplit(str(got))
        assert (again.hostname, again.username) == (got.host, None)
        assert str(got).isascii()
        assert check_url(str(got), IMAGES) == got


@pytest.mark.parametrize(
    "number", ["8.8.8.8", "151.101.1.140", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_numbers_are_connected_to(number: str) -> None:
    assert address_allowed(number, "i.redd.it", IMAGES)


@pytest.mark.parametrize(
    "number",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0"),
        *("127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
        *("nonsense", "", "1.2.3", "0x7f000001"),
    ],
)
@pytest.mark.parametrize("images", [IMAGES, SANDBOX])
def test_other_numbers_are_not(number: str, images: ImageSettings) -> None:
    assert not address_allowed(number, "i.redd.it", images)


def test_loopback_numbers_are_for_loopback_names_where_allowed() -> None:
    for number in ("127.0.0.1", "::1"):
        assert address_allowed(number, "localhost", SANDBOX)
        assert not address_allowed(number, "localhost", IMAGES)
        assert not address_allowed(number, "i.redd.it", SANDBOX)


@given(st.ip_addresses(v=4))
def test_an_ipv4_number_is_judged_alike_in_every_wrapping(number: ipaddress.IPv4Address) -> None:
    plain = address_allowed(str(number), "i.redd.it", IMAGES)
    nat64 = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | int(number))
    assert address_allowed(f"::ffff:{number}", "i.redd.it", IMAGES) == plain
    assert address_allowed(str(nat64), "i.redd.it", IMAGES) == plain
    assert not (plain and number.is_private)


@pytest.mark.parametrize("number", ["192.0.0.192", "192.0.0.1", "168.63.129.16", "100.100.100.200"])
@pytest.mark.parametrize(
    "wrap",
    [
        "{}",
        "::ffff:{}",
        "64:ff9b::{}",
        "64:ff9b:1::{}",
        "::{}",
        "::ffff:0:{}",
        "2002:{hex}::",
        "2001:0:0:0:0:0:{inverted}",
    ],
)
def test_what_clouds_answer_on_is_refused_however_it_is_written(number: str, wrap: str) -> None:
    packed = int(ipaddress.IPv4Address(number))
    halves = (packed >> 16, packed & 0xFFFF)
    given = wrap.format(
        number,
        hex=":".join(f"{half:x}" for half in halves),
        inverted=":".join(f"{half ^ 0xFFFF:x}" for half in halves),
    )
    images = ImageSettings(allowed_hosts=["*"], allow_loopback=True)
    assert not address_allowed(given, "i.redd.it", images)


@pytest.mark.parametrize("number", ["151.101.1.140", "2a04:4e42::396", "168.63.129.17"])
def test_public_addresses_stay_allowed(number: str) -> None:
    assert address_allowed(number, "i.redd.it", ImageSettings())
