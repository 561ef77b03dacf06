"""Arctic Shift's client, against the sandbox that speaks its API."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mmrl.catalog import Catalog
from mmrl.errors import ConfigError, SourceError
from mmrl.sandbox import Faults, World
from mmrl.sandbox.archive import Refusal
from mmrl.sources.arctic_shift.api import LIMITS
from mmrl.sources.arctic_shift.source import ArcticShiftSource
from tests.support.archive_trial import ArchiveTrial, archives
from tests.support.service_trial import START, busy

Make = Callable[[World], ArchiveTrial]


@pytest.fixture
def make(catalog: Catalog) -> Iterator[Make]:
    with archives(catalog) as made:
        yield made


def connected(trial: ArchiveTrial) -> ArcticShiftSource:
    source, _ = trial.connect()
    assert isinstance(source, ArcticShiftSource)
    return source


def later(trial: ArchiveTrial, hours: float) -> None:
    trial.server.now = START.timestamp() + hours * 3_600


def of_one_second(count: int) -> World:
    """Posts of one subreddit, seven in each second."""
    rows = [
        {
            "id": f"p{number:04}",
            "title": f"Post {number}",
            "subreddit": "pics",
            "created": START.timestamp() + number // 7,
            "score": 3,
            "author": "someone",
        }
        for number in range(count)
    ]
    return World.from_posts(rows)


@pytest.mark.parametrize("capacity", [100, 1_000])
def test_posts_of_one_second_are_not_lost_at_a_pages_edge(make: Make, capacity: int) -> None:
    trial = make(of_one_second(500))
    later(trial, 1)
    trial.server.misfortune.set(Faults(capacity=capacity))
    source = connected(trial)
    listed, after = source.newest(["pics"])
    while after is not None:
        page, after = source.newest(["pics"], after)
        listed += page
    assert {post["id"] for post in listed} == {post.id for post in trial.server.world}
    first, end = int(START.timestamp()), int(START.timestamp()) + 500
    below, stretched = end, []
    while below > first:
        stretch = source.stretch(["pics"], first - 1, below)
        stretched += stretch.answers[0]
        below = stretch.bottom
    assert {post["id"] for post in stretched} == {post.id for post in trial.server.world}
    again = len(stretched) - 500
    assert again <= 7 * (500 / capacity + 1)  # no more than the seconds that pages' edges cut


def test_a_second_with_more_posts_than_a_page_does_not_hold_a_listing_up(make: Make) -> None:
    rows = [
        {
            "id": f"p{number:04}",
            "title": "x",
            "subreddit": "pics",
            "created": START.timestamp() + (number >= 20),
            "score": 1,
        }
        for number in range(150)
    ]
    trial = make(World.from_posts(rows))
    later(trial, 1)
    trial.server.misfortune.set(Faults(capacity=100))
    source = connected(trial)
    below, listed = int(START.timestamp()) + 60, set()
    for _ in range(10):
        stretch = source.stretch(["pics"], int(START.timestamp()) - 1, below)
        listed |= {post["id"] for post in stretch.answers[0]}
        below = stretch.bottom
        if below <= START.timestamp():
            break
    assert below == START.timestamp()
    assert {f"p{number:04}" for number in range(20)} < listed


def test_the_limit_halves_on_a_time_out_and_grows_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = make(of_one_second(300))
    later(trial, 1)
    trial.server.misfortune.set(Faults(timeouts=1, timeout_over=30))
    asked: list[Any] = []
    answer = trial.server.archive.answer

    def noting(path: Any, query: Any, now: float, luck: Any) -> Any:
        asked.append(query["limit"])
        return answer(path, query, now, luck)

    monkeypatch.setattr(trial.server.archive, "answer", noting)
    source = connected(trial)
    source.stretch(["pics"], int(START.timestamp()) - 1, int(trial.server.now))
    assert asked == ["auto", "100", "50", "25"]
    trial.server.misfortune.set(Faults())
    asked.clear()
    for _ in range(14):
        source.stretch(["pics"], int(START.timestamp()) - 1, int(trial.server.now))
    assert asked[:1] == ["25"]
    assert [limit for n, limit in enumerate(asked) if limit not in asked[:n]] == [
        *("25", "50", "100", "auto")
    ]


def test_an_archive_that_times_out_whatever_is_asked_is_an_error_in_one_sentence(
    make: Make,
) -> None:
    trial = make(of_one_second(30))
    later(trial, 1)
    trial.server.misfortune.set(Faults(timeouts=1))
    with pytest.raises(SourceError, match=f"no time for a request of {LIMITS[-1]} posts"):
        connected(trial).newest(["pics"])
    ids = [post.id for post in trial.server.world]
    with pytest.raises(SourceError, match="no time for a request of"):
        list(connected(trial).posts(ids))
    assert trial.archive["single_ids"] == 0


def test_ids_go_into_one_request_by_the_hundreds(make: Make) -> None:
    trial = make(of_one_second(700))
    later(trial, 1)
    answers = list(connected(trial).posts(post.id for post in trial.server.world))
    assert [len(answer) for answer in answers] == [500, 200]
    trial.server.misfortune.set(Faults(timeouts=1, timeout_over=260))
    answers = list(connected(trial).posts(post.id for post in trial.server.world))
    assert sum(len(answer) for answer in answers) == 700
    assert max(len(answer) for answer in answers) <= 260


def test_a_refusal_is_told_in_its_own_words_without_what_a_terminal_would_obey(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = make(of_one_second(10))

    def refuse(*given: Any) -> Any:
        raise Refusal(400, "no such\x1b[2J parameter")

    monkeypatch.setattr(trial.server.archive, "answer", refuse)
    with pytest.raises(SourceError) as caught:
        connected(trial).newest(["pics"])
    assert "(400: no such[2J parameter)" in str(caught.value)
    assert "doctor --live" in str(caught.value)


@pytest.mark.parametrize("answer", [{"data": None}, {"data": {"a": 1}}, [], {"error": "no"}, None])
def test_an_answer_of_another_shape_is_an_error_of_the_source(
    make: Make, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    trial = make(of_one_second(10))
    monkeypatch.setattr(
        trial.server.archive,
        "answer",
        lambda *given: (
            {
                "data": [],
            }
            and answer
        ),
    )
    with pytest.raises(SourceError, match="Arctic Shift refuses"):
        list(connected(trial).rules(["pics"]))


def test_subreddits_and_rules_are_read(make: Make) -> None:
    trial = make(of_one_second(10))
    source = connected(trial)
    (subreddit,) = trial.server.world.subreddits
    ((found,),) = source.subreddits([f"t5_{subreddit.id}"])
    assert found["subscribers"] == subreddit.subscribers_at(0)
    ((rules,),) = source.rules(["pics", "never_was"])
    assert rules.subreddit == "pics"
    assert (
        rules.text.splitlines()[0]
        == "Pictures only: Pictures only: posts that are not so are removed."
    )


def test_the_user_agent_names_mmrl_and_a_contact(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    trial = make(of_one_second(10))
    sent: list[Any] = []
    send = requests.Session.request

    def noting(session: Any, *given: Any, **options: Any) -> Any:
        sent.append(options["headers"]["User-Agent"])
        return send(session, *given, **options)

    monkeypatch.setattr(requests.Session, "request", noting)
    connected(trial).newest(["pics"])
    assert sent[0].startswith("mmrl/")
    assert sent[0].endswith("(contact: tests@example.org)")


@pytest.mark.parametrize(
    ("name", "value"),
    [("base_url", "ftp://x"), ("base_url", "nowhere"), ("contact", "a\r\nCookie: b")],
)
def test_an_address_or_contact_that_is_none_is_named(make: Make, name: str, value: str) -> None:
    trial = make(of_one_second(10))
    trial.settings.arctic_shift = trial.settings.arctic_shift.model_copy(update={name: value})
    with pytest.raises(ConfigError, match=f"arctic_shift.{name} is"):
        trial.connect()


def test_two_processes_share_the_two_requests_a_second(make: Make) -> None:
    trial = make(busy(30, 1))
    later(trial, 2)
    sources = [trial.connect()[0] for _ in range(2)]
    for _ in range(5):
        for source in sources:
            source.newest(["SimPics"])
    assert trial.archive["requests"] == 10
