"""The shared budget: never over Reddit's limit, fair by priority, safe across processes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.sources.budget import Budget, Priority, Ticket, budget_name
from mmrl.storage.opening import storage_of
from tests.support.command import ending

NOW = 1_780_000_000.0


class Memory:
    """The one file of a budget that one process uses."""

    data: bytes | None = None

    def read(self, name: str) -> bytes | None:
        return self.data

    def change(self, name: str, new: Callable[[bytes | None], bytes | None]) -> None:
        self.data = new(self.data) or self.data


@pytest.fixture
def budget() -> Budget:
    return Budget(Memory(), "b")  # type: ignore[arg-type]


def headers(remaining: float, used: float, reset: float) -> dict[str, str]:
    return {
        "X-Ratelimit-Remaining": str(remaining),
        "X-Ratelimit-Used": str(used),
        "X-Ratelimit-Reset": str(reset),
    }


def spend(budget: Budget, now: float, priority: Priority = Priority.DISCOVERY) -> int:
    """Asks at once as often as it may; returns how often that was."""
    count = 0
    while isinstance(leave := budget.ask(priority, now), Ticket):
        budget.answered(leave, now, headers(1_000 - count, count, 600))
        count += 1
    return count


def test_what_reddit_states_is_the_limit_and_before_that_sixty_a_minute(budget: Budget) -> None:
    assert (budget.state(NOW).limit, budget.state(NOW).stated) == (60, False)
    ticket = budget.ask(Priority.DISCOVERY, NOW)
    assert isinstance(ticket, Ticket)
    budget.answered(ticket, NOW + 1, headers(995, 5, 300))
    state = budget.state(NOW + 2)
    assert (state.limit, state.stated, state.used, state.remaining) == (100, True, 1, 995)
    assert state.resets_in == 299


def test_a_users_own_limit_counts_where_it_is_lower(tmp_path: Path) -> None:
    assert spend(Budget(storage_of(tmp_path), "b", per_minute=7), NOW) == 7


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 4),  # seconds until the next request is wanted
            st.floats(0, 20),  # seconds until its answer comes
            st.floats(0, 1),  # when within that Reddit counts it
            st.sampled_from(list(Priority)),
        ),
        min_size=30,
        max_size=150,
    )
)
def test_no_sixty_seconds_see_more_arrivals_than_the_limit(
    wanted: list[tuple[float, float, float, Priority]],
) -> None:
    """However late answers are, and whenever within its flight Reddit counts a request."""
    budget = Budget(Memory(), "b", per_minute=20)  # type: ignore[arg-type]
    arrivals: list[float] = []
    flying: list[tuple[float, Ticket]] = []
    now = NOW
    for pause, latency, share, priority in wanted:
        now += pause
        for _ in range(1_000):
            for done, ticket in sorted(flying, key=lambda flight: flight[0]):
                if done <= now:
                    budget.answered(ticket, done, None)
            flying = [flight for flight in flying if flight[0] > now]
            leave = budget.ask(priority, now)
            if isinstance(leave, Ticket):
                break
            now += max(leave, 0.05)
        assert isinstance(leave, Ticket)
        arrivals.append(now + share * latency)
        flying.append((now + latency, leave))
    arrivals.sort()
    for last, arrival in enumerate(arrivals):
        assert sum(arrival - 60 < other <= arrival for other in arrivals[: last + 1]) <= 20


def test_nothing_is_asked_when_reddits_window_is_spent(budget: Budget) -> None:
    ticket = budget.ask(Priority.DISCOVERY, NOW)
    assert isinstance(ticket, Ticket)
    budget.answered(ticket, NOW, headers(1, 999, 200))
    last = budget.ask(Priority.DISCOVERY, NOW + 61)
    assert isinstance(last, Ticket)
    assert not isinstance(budget.ask(Priority.DISCOVERY, NOW + 130), Ticket)
    assert not isinstance(budget.ask(Priority.DISCOVERY, NOW + 199), Ticket)
    assert isinstance(budget.ask(Priority.DISCOVERY, NOW + 201), Ticket)


def test_a_window_that_others_spent_is_used_up_evenly(budget: Budget) -> None:
    """Another machine with the same client took most of it: what is left lasts till its end."""
    ticket = budget.ask(Priority.DISCOVERY, NOW)
    assert isinstance(ticket, Ticket)
    budget.answered(ticket, NOW, headers(100, 900, 600))
    count = 0
    while isinstance(leave := budget.ask(Priority.DISCOVERY, NOW + 61), Ticket):
        budget.answered(leave, NOW + 61, headers(100 - count, 900 + count, 539))
        count += 1
    assert 8 <= count <= 12  # a tenth: sixty of the six hundred seconds


def test_lower_priorities_leave_a_part_to_higher_ones(budget: Budget) -> None:
    budget_of = {}
    ticket = budget.ask(Priority.DISCOVERY, NOW)
    assert isinstance(ticket, Ticket)
    budget.answered(ticket, NOW, headers(999, 1, 600))
    now = NOW + 100
    for priority in reversed(Priority):
        budget_of[priority] = 0
        for second in range(50):  # they come in bursts of ten seconds
            budget_of[priority] += spend(budget, now + second, priority)
        now += 50
    assert budget_of[Priority.PURGE] == 40
    assert sum(budget_of.values()) > 100
    assert spend(budget, now) > 0


def test_discovery_goes_ahead_where_observations_have_used_up_their_share(budget: Budget) -> None:
    ticket = budget.ask(Priority.DISCOVERY, NOW)
    assert isinstance(ticket, Ticket)
    budget.answered(ticket, NOW, headers(999, 1, 600))
    for second in range(30):
        spend(budget, NOW + second, Priority.OBSERVATIONS)
    assert not isinstance(budget.ask(Priority.OBSERVATIONS, NOW + 30), Ticket)
    assert isinstance(budget.ask(Priority.DISCOVERY, NOW + 30), Ticket)


def test_a_429_holds_every_process(tmp_path: Path) -> None:
    one, other = Budget(storage_of(tmp_path), "b"), Budget(storage_of(tmp_path), "b")
    one.pause(NOW + 30)
    assert other.ask(Priority.DISCOVERY, NOW) == 30
    assert isinstance(other.ask(Priority.DISCOVERY, NOW + 31), Ticket)


def test_requests_of_a_killed_process_count_until_they_can_be_no_more(tmp_path: Path) -> None:
    killed = Budget(storage_of(tmp_path), "b", per_minute=3)
    for _ in range(3):
        assert isinstance(killed.ask(Priority.DISCOVERY, NOW), Ticket)
    other = Budget(storage_of(tmp_path), "b", per_minute=3)
    assert not isinstance(other.ask(Priority.DISCOVERY, NOW + 80), Ticket)
    assert isinstance(other.ask(Priority.DISCOVERY, NOW + 155), Ticket)


def test_a_clock_that_was_set_back_holds_nobody_for_long(budget: Budget) -> None:
    assert spend(budget, NOW + 86_400) > 0
    budget.pause(NOW + 86_400)
    assert isinstance(budget.ask(Priority.DISCOVERY, NOW), Ticket)


@pytest.mark.parametrize(
    "odd", [{}, {"X-Ratelimit-Remaining": "x"}, headers(float("nan"), 1, 1), headers(5, 5, -3)]
)
def test_headers_that_cannot_be_read_are_as_none(budget: Budget, odd: dict[str, str]) -> None:
    ticket = budget.ask(Priority.DISCOVERY, NOW)
    assert isinstance(ticket, Ticket)
    budget.answered(ticket, NOW, odd)
    assert not budget.state(NOW).stated


def test_a_broken_file_is_made_anew(tmp_path: Path) -> None:
    for broken in (b"no budget" * 500, b"[]", b'{"requests": 3}', b'{"newest": 1, "odd": 2}'):
        (tmp_path / "b").write_bytes(broken)
        asked = Budget(storage_of(tmp_path), "b").ask(Priority.DISCOVERY, NOW)
        assert isinstance(asked, Ticket)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_processes_share_one_budget(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    home = str(tmp_path) if place == "folder" else request.getfixturevalue("bucket")
    code = """
import sys
from mmrl.storage.opening import storage_of
from mmrl.sources.budget import Budget, Priority, Ticket
budget = Budget(storage_of(sys.argv[1]), "b", per_minute=50)
count = 0
while isinstance(budget.ask(Priority.DISCOVERY, 1_780_000_000.0), Ticket):
    count += 1
print(count)
"""
    command = [sys.executable, "-c", code, home]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = [int(ending(process).out) for process in running]
    assert sum(counts) == 50


def test_the_file_names_the_client_by_a_hash() -> None:
    assert "my-client" not in budget_name("my-client")
    assert budget_name("my-client") != budget_name("other")
