"""Captions by a server: a real one with a tiny model, and one on loopback that misbehaves."""

import asyncio
import base64
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from mmrl.catalog.reasons import Reason
from mmrl.config import CaptionServerSettings, Settings
from mmrl.encoders.caption_server.server import ServerCaptions
from mmrl.encoders.profiles import load_profile
from mmrl.encoders.protocols import Caption, Uncaptioned
from mmrl.errors import ConfigError, Failure, WeightsError
from mmrl.pipeline.stages.caption import CaptionStage
from tests.support.command import HANGS
from tests.support.image_server import answer, dribble, image_file
from tests.support.serving_process import MODEL, transformers_server

NOW = datetime(2026, 6, 1, tzinfo=UTC)

KEY = "sk-a-very-secret-key"

Handler = BaseHTTPRequestHandler
Step = Callable[[Handler], None]


# A real server


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with transformers_server(tmp_path_factory.mktemp("server")) as url:
        yield url


def real_settings(url: str, **changes: Any) -> CaptionServerSettings:
    given = {"base_url": url, "model": MODEL, "max_tokens": 8, "concurrency": 4, "attempts": 2}
    return CaptionServerSettings(**{**given, **changes})


class TestARealServer:
    def test_images_get_captions_in_their_order_whatever_runs_at_once(
        self, real_server: str
    ) -> None:
        image_files = [image_file(seed, (320, 200)) for seed in range(10)]
        captions = ServerCaptions(real_settings(real_server))
        captions.check()
        together = captions.caption(image_files)
        one_by_one = ServerCaptions(real_settings(real_server, concurrency=1)).caption(image_files)
        texts = [got.text for got in together if isinstance(got, Caption)]
        assert len(texts) == 10
        assert all(len(text.split()) == 8 for text in texts)  # as many words as tokens
        assert len(set(texts)) > 5  # what is said depends on the image
        assert together == one_by_one

    def test_images_of_any_kind_are_sent_as_what_the_server_reads(self, real_server: str) -> None:
        transparent = io.BytesIO()
        Image.new("RGBA", (900, 2000), (10, 200, 30, 0)).save(transparent, "PNG")
        captions = ServerCaptions(real_settings(real_server))
        kinds = [image_file(1, image_format="WEBP"), image_file(1, image_format="GIF")]
        got = captions.caption([*kinds, transparent.getvalue(), b"no image"])
        assert [type(one) for one in got] == [Caption, Caption, Caption, Uncaptioned]
        assert isinstance(got[3], Uncaptioned)
        assert got[3].reason == Reason.BROKEN_IMAGE

    def test_a_wrong_model_name_is_an_error_that_names_the_models_there(
        self, real_server: str
    ) -> None:
        captions = ServerCaptions(real_settings(real_server, model="tiny/other"))
        with pytest.raises(WeightsError, match=f"no model 'tiny/other'; it has {MODEL}"):
            captions.check()
        with pytest.raises(Failure, match="HTTP 400: Server is pinned to"):
            captions.caption([image_file(seed) for seed in range(3)])

    def test_an_address_without_its_path_is_an_error(self, real_server: str) -> None:
        captions = ServerCaptions(real_settings(real_server.removesuffix("/v1")))
        with pytest.raises(WeightsError, match=r"HTTP 404.*end in /v1"):
            captions.check()
        with pytest.raises(Failure, match=r"HTTP 404.*end in /v1"):
            captions.caption([image_file()])

    def test_the_settings_alone_put_it_in_the_profiles_place(self, real_server: str) -> None:
        settings = Settings(caption_server=real_settings(real_server))
        profile = load_profile(settings)
        assert profile.ids["captioner"].startswith(f"{MODEL}@server+")
        assert "captioner" not in profile.shown_as  # captions, no tags
        batch = pa.table({"key": ["one", "two"], "bytes": [image_file(1), b"broken"]})
        results = CaptionStage("captioner", profile).worker(NOW)(batch)
        assert results.done["sha256"].to_pylist() == ["one"]
        assert results.done["captioner"].to_pylist() == [profile.ids["captioner"]]
        assert [(one.key, one.reason) for one in results.failed] == [("two", Reason.BROKEN_IMAGE)]


# A server that misbehaves


@dataclass
class Faults:
    """A real HTTP server that answers as a test says, and keeps what it was asked."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    listed: list[dict[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    by_shade: dict[int, Step] = field(default_factory=dict)
    models: Step | None = None
    busy: int = 0
    most_busy: int = 0

    def captions(self, **changes: Any) -> ServerCaptions:
        """A captioner of this server that waits for nothing."""

        async def no_wait(seconds: float) -> None:
            self.waited.append(seconds)

        self.waited: list[float] = []
        given = {"base_url": self.url, "model": "some/model", "prompt": "Say what is there."}
        settings = CaptionServerSettings(**{**given, "concurrency": 1, "attempts": 3, **changes})
        return ServerCaptions(settings, sleep=no_wait, seed=0)


@contextmanager
def faults() -> Iterator[Faults]:
    lock = threading.Lock()

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            server.listed.append({**self.headers})
            (server.models or reply_json({"data": [{"id": "some/model"}]}))(self)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.asked.append({"path": self.path, **body})
                server.headers.append(dict(self.headers))
                server.busy += 1
                server.most_busy = max(server.most_busy, server.busy)
                step = server.steps.pop(0) if server.steps else None
            step = step or server.by_shade.get(shade(body), said(f"shade {shade(body)}"))
            try:
                step(self)
            except OSError:  # the client hung up, which some tests want
                self.close_connection = True
            finally:
                with lock:
                    server.busy -= 1

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Threads(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True
        block_on_close = False

    with Threads(("127.0.0.1", 0), Api) as listening:
        server = Faults(f"http://127.0.0.1:{listening.server_address[1]}/v1")
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        listening.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Faults]:
    with faults() as running:
        yield running


def grey(shade: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """An image that the server can tell from others."""
    file = io.BytesIO()
    Image.new("L", size, shade).save(file, "PNG")
    return file.getvalue()


def sent_image(body: dict[str, Any]) -> Image.Image:
    prefix, _, data = body["messages"][0]["content"][0]["image_url"]["url"].partition(",")
    assert prefix == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def shade(body: dict[str, Any]) -> int:
    """The sent image's grey in steps of ten; -1 for one that has more than one."""
    low, high = sent_image(body).convert("L").getextrema()
    return round(int(low) / 10) * 10 if high - low < 10 else -1


def reply_json(given: Any, status: int = 200, **headers: str) -> Step:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: answer(handler, json.dumps(given).encode(), status, named)


def said(text: Any, ended: str = "stop", **message: Any) -> Step:
    choice = {"message": {"content": text, **message}, "finish_reason": ended}
    return reply_json({"choices": [choice]})


def error(status: int, words: str = "something", **headers: str) -> Step:
    return reply_json({"error": {"message": words}}, status, **headers)


def cut_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def reasons(got: list[Caption | Uncaptioned]) -> list[Reason | None]:
    return [one.reason if isinstance(one, Uncaptioned) else None for one in got]


def test_a_request_holds_a_small_plain_jpeg_and_the_prompt(server: Faults) -> None:
    private = Image.new("RGB", (1600, 400), "red")
    exif = private.getexif()
    exif[0x010E] = "a secret place"
    file = io.BytesIO()
    private.save(file, "JPEG", exif=exif, comment=b"a secret comment")
    assert reasons(server.captions(image_side=256).caption([file.getvalue()])) == [None]
    [asked] = server.asked
    assert asked["path"] == "/v1/chat/completions"
    assert asked["model"] == "some/model"
    assert (asked["max_tokens"], asked["temperature"]) == (128, 0)
    assert asked["messages"][0]["content"][1] == {"type": "text", "text": "Say what is there."}
    sent = sent_image(asked)
    assert (sent.size, sent.mode) == ((256, 64), "RGB")
    assert not sent.getexif()
    assert "comment" not in sent.info


def test_results_keep_their_order_and_no_more_than_allowed_are_asked_at_once(
    server: Faults,
) -> None:
    shades = list(range(0, 250, 10))
    for number, one in enumerate(shades):
        pause, reply = (0.05 if number % 3 == 0 else 0.01), said(f"shade {one}")
        server.by_shade[one] = lambda handler, pause=pause, reply=reply: (
            time.sleep(pause),
            reply(handler),
        )[1]
    got = server.captions(concurrency=5).caption([grey(one) for one in shades])
    assert got == [Caption(f"shade {one}") for one in shades]
    assert server.most_busy == 5


@pytest.mark.parametrize(
    "fault",
    [error(429), error(500), error(503), hang_up, cut_off, reply_json("?"), reply_json({})],
    ids=["429", "500", "503", "reset", "cut", "no-object", "no-choices"],
)
def test_what_may_pass_is_tried_again_after_waits_that_grow(server: Faults, fault: Step) -> None:
    server.steps += [fault, fault]
    assert server.captions().caption([grey(50)]) == [Caption("shade 50")]
    assert len(server.asked) == 3
    assert 0.5 <= server.waited[0] <= 1 <= server.waited[1] <= 2


def test_a_slow_answer_is_given_up_and_asked_for_again(server: Faults) -> None:
    given_up = Event()
    server.steps.append(lambda handler: dribble(handler, given_up))
    got = server.captions(timeout_seconds=3).caption([grey(50)])
    assert got == [Caption("shade 50")]
    assert len(server.asked) == 2
    assert given_up.wait(HANGS)


def test_the_wait_that_a_server_asks_for_is_kept_by_all_requests(server: Faults) -> None:
    server.steps.append(error(429, Retry_After="7"))
    captions = server.captions()
    assert reasons(captions.caption([grey(50), grey(60)])) == [None, None]
    assert all(6 < waited <= 7 for waited in server.waited)
    date = {"Date": formatdate(1000, usegmt=True), "Retry_After": formatdate(1009, usegmt=True)}
    server.waited.clear()
    server.steps.append(lambda handler: date_answer(handler, date))
    assert reasons(captions.caption([grey(50)])) == [None]
    assert 8 < server.waited[0] <= 9


def date_answer(handler: Handler, headers: dict[str, str]) -> None:
    handler.send_response_only(429)  # without the Date of today
    for name, value in {**headers, "Content-Length": "0"}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def test_a_real_wait_is_waited(server: Faults) -> None:
    server.steps.append(error(429, Retry_After="1"))
    settings = CaptionServerSettings(base_url=server.url, model="some/model")
    begun = time.monotonic()
    assert ServerCaptions(settings).caption([grey(50)]) == [Caption("shade 50")]
    assert time.monotonic() - begun >= 1


def test_a_server_that_asks_for_an_hour_is_left_for_a_later_run(server: Faults) -> None:
    server.by_shade = dict.fromkeys([60, 70, -1], error(429, "quota spent", Retry_After="3600"))
    got = server.captions().caption([grey(50), grey(60), grey(70)])
    assert reasons(got) == [None, Reason.CAPTION_SERVER_ERROR, Reason.CAPTION_SERVER_ERROR]
    assert all(one.transient for one in got if isinstance(one, Uncaptioned))
    assert len(server.asked) == 3  # two images, and one of its own; the last image is not sent
    assert server.waited == []


def test_an_image_that_always_breaks_the_server_fails_alone(server: Faults) -> None:
    server.by_shade[50] = error(500, "out of memory")
    [got] = server.captions().caption([grey(50)])
    assert got == Uncaptioned(Reason.CAPTION_SERVER_ERROR, "HTTP 500: out of memory", True)
    assert len(server.asked) == 4  # three attempts, and an image of its own that went well


def test_an_image_that_is_refused_is_no_reason_to_stop(server: Faults) -> None:
    server.by_shade = {50: error(400, "not this one"), 60: error(422, "nor this")}
    for first_in_the_call in (True, False):
        shades = [50, 60, 70] if first_in_the_call else [70, 60, 50]
        got = dict(zip(shades, server.captions().caption(list(map(grey, shades))), strict=True))
        assert got[50] == Uncaptioned(Reason.CAPTION_REFUSED, "HTTP 400: not this one")
        assert got[60] == Uncaptioned(Reason.CAPTION_REFUSED, "HTTP 422: nor this")
        assert got[70] == Caption("shade 70")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error(400, "not a multimodal model"), "HTTP 400: not a multimodal model"),
        (reply_json({"detail": [{"msg": "no"}]}, 422), "HTTP 422.*no"),
        (error(401, "who are you?"), "HTTP 401: who are you.*MMRL_CAPTION_KEY"),
        (error(403, "not for you"), "HTTP 403: not for you.*MMRL_CAPTION_KEY"),
        (error(404, "no such model"), "HTTP 404: no such model.*'some/model'"),
        (reply_json({"error": "no money"}, 402), "HTTP 402: no money"),
        (error(500, "image input is not supported"), "HTTP 500: image input is not supported"),
        (reply_json({"hello": "world"}), "not answer as OpenAI's API does"),
    ],
)
def test_what_no_image_is_to_blame_for_is_an_error_at_once(
    server: Faults, reply: Step, words: str
) -> None:
    server.by_shade = dict.fromkeys([*range(0, 260, 10), -1], reply)
    with pytest.raises(Failure, match=words):
        server.captions().caption([grey(shade) for shade in range(0, 250, 10)])
    assert len(server.asked) <= 4


def test_captions_that_were_made_are_kept_when_the_server_stops(server: Faults) -> None:
    server.steps += [said("one"), said("two"), *([error(401)] * 9)]
    got = server.captions().caption([grey(shade) for shade in (10, 20, 30, 40)])
    assert got[:2] == [Caption("one"), Caption("two")]
    assert reasons(got)[2:] == [Reason.CAPTION_SERVER_ERROR] * 2
    assert all(one.transient for one in got[2:] if isinstance(one, Uncaptioned))
    with pytest.raises(Failure, match="HTTP 401"):
        server.captions().caption([grey(30)])


def test_a_dead_server_is_one_clear_error() -> None:
    with faults() as running:
        captions = running.captions()
    with pytest.raises(Failure, match=r"gives no answer \(ConnectError.*start it"):
        captions.caption([grey(shade) for shade in range(0, 250, 10)])
    with pytest.raises(WeightsError, match=r"gives no answer \(ConnectError.*start it"):
        captions.check()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (said(None, refusal="I can't help with that."), Reason.CAPTION_REFUSED),
        (said("", "content_filter"), Reason.CAPTION_REFUSED),
        (said(""), Reason.EMPTY_CAPTION),
        (said(None), Reason.EMPTY_CAPTION),
        (said("<think>a dog? or a", "length"), Reason.EMPTY_CAPTION),
        (said(" ... "), Reason.EMPTY_CAPTION),
        (said("Say what is there."), Reason.PROMPT_ECHOED),
        (said("say what is"), Reason.PROMPT_ECHOED),
        (said("Say what is there: Say what"), Reason.PROMPT_ECHOED),
    ],
)
def test_an_answer_without_a_caption_has_its_reason(
    server: Faults, reply: Step, reason: Reason
) -> None:
    server.by_shade[50] = reply
    assert reasons(server.captions().caption([grey(50)])) == [reason]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "content",
    ["  A dog. ", [{"type": "text", "text": "A dog."}], "<think>a dog?</think>\n\nA dog."],
)
def test_the_text_is_found_as_servers_give_it(server: Faults, content: Any) -> None:
    server.by_shade[50] = said(content)
    assert server.captions().caption([grey(50)]) == [Caption("A dog.")]


def test_an_answer_without_end_is_not_read_to_it(server: Faults) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _ in range(400):
            handler.wfile.write(b" " * 100_000)

    server.by_shade[50] = endless
    [got] = server.captions(attempts=1).caption([grey(50)])
    assert isinstance(got, Uncaptioned)
    assert (got.reason, got.transient) == (Reason.CAPTION_SERVER_ERROR, True)
    assert "more than 1,000,000 bytes" in got.detail


def test_options_that_a_model_does_not_know_are_left_out(server: Faults) -> None:
    def strict(handler: Handler) -> None:
        asked = server.asked[-1]
        for name in ("max_tokens", "temperature"):
            if name in asked:
                unknown = {"message": "no", "param": name, "code": "unsupported_parameter"}
                return reply_json({"error": unknown}, 400)(handler)
        return said(str(asked["max_completion_tokens"]))(handler)

    server.by_shade = dict.fromkeys([50, 60], strict)
    assert server.captions().caption([grey(50), grey(60)]) == [Caption("128")] * 2
    assert len(server.asked) == 4  # learned once


def test_the_budget_bounds_a_runs_requests_and_begins_anew_with_the_next(server: Faults) -> None:
    image_files = [grey(shade) for shade in range(0, 100, 10)]
    captions = server.captions(budget=5, concurrency=3)
    server.steps.append(error(500))  # what fails is a request, too
    run = captions.for_run()
    first, second = run.caption(image_files), run.caption(image_files)
    assert len(server.asked) == 5
    assert reasons(first).count(None) == 4
    assert {*reasons(first), *reasons(second)} == {None, Reason.CAPTION_BUDGET_SPENT}
    assert all(one.transient for one in second if isinstance(one, Uncaptioned))
    assert reasons(captions.for_run().caption(image_files)).count(None) == 5
    assert reasons(captions.caption(image_files)) == [None] * 10  # outside of any run


def test_the_stage_counts_the_budget_once_a_run(server: Faults) -> None:
    settings = CaptionServerSettings(base_url=server.url, model="some/model", budget=3)
    stage = CaptionStage("captioner", load_profile(Settings(caption_server=settings)))
    batch = pa.table({"key": ["a", "b"], "bytes": [grey(10), grey(20)]})
    worker = stage.worker(NOW)
    assert [worker(batch).done.num_rows for _ in range(3)] == [2, 1, 0]
    assert [one.reason for one in worker(batch).failed] == [Reason.CAPTION_BUDGET_SPENT] * 2
    assert stage.worker(NOW)(batch).done.num_rows == 2


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


def test_a_missing_model_name_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"caption_server\.model is empty"):
        ServerCaptions(CaptionServerSettings(base_url="http://127.0.0.1:1/v1"))


def test_the_id_follows_what_decides_on_the_words_and_not_the_address() -> None:
    def id_of(**changes: Any) -> str:
        given = {"base_url": "http://127.0.0.1:8000/v1", "model": "m"}
        return ServerCaptions(CaptionServerSettings(**{**given, **changes})).id

    assert id_of() == id_of(base_url="https://elsewhere.example/v1/", concurrency=99, budget=1)
    changes: list[dict[str, Any]] = [
        {"model": "n"},
        {"prompt": "Say more."},
        {"max_tokens": 64},
        {"image_side": 512},
    ]
    assert len({id_of(), *(id_of(**change) for change in changes)}) == 5


@pytest.mark.parametrize(
    ("listed", "model", "known"),
    [
        (["a", "m"], "m", True),
        (["models/m"], "m", True),  # as Gemini lists them
        (["m"], "m@main", True),  # as transformers lists them
        ([], "m", True),  # a server that lists none says nothing
        (["a", "bm"], "m", False),
    ],
)
def test_the_check_looks_for_the_model_in_the_servers_list(
    server: Faults, listed: list[str], model: str, known: bool
) -> None:
    server.models = reply_json({"data": [{"id": name} for name in listed]})
    captions = server.captions(model=model)
    if known:
        captions.check()
    else:
        with pytest.raises(WeightsError, match="it has a, bm"):
            captions.check()
    assert not server.asked


def test_nothing_to_caption_asks_nobody() -> None:
    settings = CaptionServerSettings(base_url="http://127.0.0.1:1/v1", model="m")
    assert ServerCaptions(settings, sleep=asyncio.sleep).caption([]) == []
