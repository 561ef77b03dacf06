"""Captions by a server on loopback that misbehaves."""

import asyncio
import io
import threading
import time
from datetime import UTC, datetime
from email.utils import formatdate
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
from tests.support.caption_faults import (
    Faults,
    Handler,
    Step,
    cut_off,
    error,
    faults,
    grey,
    hang_up,
    reasons,
    reply_json,
    said,
    sent_image,
)
from tests.support.command import HANGS
from tests.support.image_server import dribble

NOW = datetime(2026, 6, 1, tzinfo=UTC)

KEY = "sk-a-very-secret-key"


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
    together = threading.Barrier(5)

    def beside_four_others(reply: Step) -> Step:
        def step(handler: Handler) -> None:
            place = together.wait(HANGS)
            time.sleep(0.01 * place)  # answers come in another order than requests
            reply(handler)

        return step

    for shade in shades:
        server.by_shade[shade] = beside_four_others(said(f"shade {shade}"))
    got = server.captions(concurrency=5).caption([grey(shade) for shade in shades])
    assert got == [Caption(f"shade {shade}") for shade in shades]
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


@pytest.mark.slow
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
