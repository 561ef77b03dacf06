"""Keys and addresses of captioning servers: where they go, and that no error shows them."""

import logging

import pytest

from mmrl.config import CaptionServerSettings
from mmrl.encoders.caption_server.server import ServerCaptions
from mmrl.encoders.protocols import Caption
from mmrl.errors import ConfigError, Failure, WeightsError
from tests.support.caption_faults import (
    Faults,
    error,
    grey,
)

KEY = "sk-a-very-secret-key"


def test_the_key_goes_to_the_server_and_nowhere_else(
    server: Faults, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    captions = server.captions(key_variable="A_KEY")
    shown = [captions.id, repr(captions), repr(vars(captions)), repr(vars(captions._server))]
    server.by_shade[50] = error(400, f"Incorrect API key provided: {KEY}")
    server.models = error(401, f"Incorrect API key provided: {KEY}")
    shown += [repr(captions.caption([grey(50), grey(60)]))]
    with pytest.raises(WeightsError, match="A_KEY") as refused:
        captions.check()
    server.by_shade = dict.fromkeys([50, -1], error(401, f"Incorrect API key provided: {KEY}"))
    with pytest.raises(Failure, match="A_KEY is not accepted") as stopped:
        captions.caption([grey(50)])
    assert {sent["authorization"] for sent in lower(server.headers)} == {f"Bearer {KEY}"}
    assert {sent["authorization"] for sent in lower(server.listed)} == {f"Bearer {KEY}"}
    shown += [str(refused.value), str(stopped.value), caplog.text]
    assert not [text for text in shown if KEY in text]
    assert any("[key]" in text for text in shown)


def lower(headers: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{name.lower(): value for name, value in one.items()} for one in headers]


def test_no_key_is_sent_where_none_is_set(server: Faults) -> None:
    server.captions().caption([grey(50)])
    assert "authorization" not in lower(server.headers)[0]


@pytest.mark.parametrize("key", [f"{KEY}\nX-Other: 1", f"{KEY} {KEY}", f"{KEY}é"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(
    server: Faults, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MMRL_CAPTION_KEY", key)
    for work in (server.captions().check, lambda: server.captions().caption([grey(50)])):
        with pytest.raises(ConfigError, match="MMRL_CAPTION_KEY holds what can't be a key") as no:
            work()
        assert KEY not in str(no.value)
    assert not server.asked


def test_a_key_is_not_sent_unencrypted_to_another_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MMRL_CAPTION_KEY", KEY)
    settings = CaptionServerSettings(base_url="http://captions.example/v1", model="m")
    with pytest.raises(ConfigError, match="without encryption") as refused:
        ServerCaptions(settings).check()
    assert KEY not in str(refused.value)
    with pytest.raises(ConfigError, match="without encryption"):
        ServerCaptions(settings).caption([grey(50)])


def test_a_proxy_of_the_environment_gets_nothing_meant_for_this_machine(
    server: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    captions = server.captions(attempts=1)
    captions.check()
    assert captions.caption([grey(50)]) == [Caption("shade 50")]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000/v1",
        "ftp://127.0.0.1/v1",
        "file:///etc/passwd",
        "http:///v1",
        "http://[::1/v1",
        "http://host:99999/v1",
        f"https://user:{KEY}@host/v1",
        f"https://host/v1?key={KEY}",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"caption_server\.base_url") as refused:
        ServerCaptions(CaptionServerSettings(base_url=url, model="m"))
    assert KEY not in str(refused.value)
