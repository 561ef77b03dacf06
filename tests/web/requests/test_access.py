"""Who may ask the server."""

import pytest

from mmrl.errors import ConfigError
from mmrl.web.requests.access import Access, host_name

TOKEN = "a token of 24 characters"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_takes_no_token(host: str) -> None:
    assert Access.of(host).lets_in(None, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "photos.example"])
def test_another_host_needs_a_token_and_says_so(host: str) -> None:
    with pytest.raises(ConfigError, match="MMRL_SERVE_TOKEN"):
        Access.of(host)
    assert Access.of(host, token=TOKEN).token == TOKEN


def test_a_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected 16 or more"):
        Access.of("0.0.0.0", token="short")


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("127.0.0.1:8400", True),
        ("localhost:8400", True),
        ("LOCALHOST", True),
        ("[::1]:8400", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8400", False),
        ("192.0.2.7:8400", False),
        ("photos.example", False),
        ("", False),
        (None, False),
        ("[::1", False),
    ],
)
def test_on_loopback_only_names_of_this_machine_are_answered(
    host: str | None, answers: bool
) -> None:
    assert Access.of("127.0.0.1").answers_to(host) is answers


def test_a_server_for_others_answers_to_addresses_and_to_names_that_were_given() -> None:
    access = Access.of("0.0.0.0", ("Photos.Example",), TOKEN)
    asked = ["192.0.2.7:80", "[2001:db8::1]", "photos.example:443", "localhost", "evil.example"]
    assert [access.answers_to(host) for host in asked] == [True, True, True, True, False]


def test_the_token_lets_in_as_a_bearer_and_by_its_cookie_alone() -> None:
    access = Access.of("127.0.0.1", token=TOKEN)
    assert access.lets_in(f"Bearer {TOKEN}", None)
    assert access.lets_in(None, access.cookie())
    for authorization, cookie in [
        (None, None),
        ("Bearer ", ""),
        (f"Bearer {TOKEN}x", None),
        (None, TOKEN),
        ("Bearer éé", "é"),
    ]:
        assert not access.lets_in(authorization, cookie)
    assert TOKEN not in access.cookie()


@pytest.mark.parametrize(
    ("header", "name"), [("[::1]:80", "::1"), ("Name:80", "name"), ("::1", "::1")]
)
def test_a_host_header_is_read_with_and_without_a_port(header: str, name: str) -> None:
    assert host_name(header) == name
