"""The order of chunks on their way, and what is done with those that an actor died on."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mmrl.pipeline.cluster.line import MOST_DEATHS, Line


def rows(count: int) -> pa.Table:
    return pa.table({"key": [f"k{number}" for number in range(count)]})


def given_out(line: Line, place: int, actor: str, done: bool = False) -> None:
    chunk = line.chunks[place]
    chunk.actor, chunk.answer, chunk.done = actor, object(), done


def keys(line: Line) -> list[list[str]]:
    return [chunk.keys for chunk in line.chunks]


def test_a_chunk_is_tried_again_by_itself_and_then_in_halves() -> None:
    line = Line(rows(5))
    line.grow(4)
    line.grow(4)
    given_out(line, 0, "a")
    line.lose("a", "memory")
    assert keys(line) == [["k0", "k1", "k2", "k3"], ["k4"]]
    assert [chunk.deaths for chunk in line.chunks] == [1, 0]
    given_out(line, 0, "b")
    line.lose("b", "memory")
    assert keys(line) == [["k0", "k1"], ["k2", "k3"], ["k4"]]
    assert [chunk.answer for chunk in line.chunks] == [None, None, None]


def test_what_a_lost_actor_had_done_and_nobody_has_committed_is_done_again() -> None:
    line = Line(rows(6))
    for _ in range(3):
        line.grow(2)
    given_out(line, 0, "a", done=True)
    given_out(line, 1, "b", done=True)
    given_out(line, 2, "a")
    line.lose("a", "switched off")
    assert [chunk.done for chunk in line.chunks] == [False, True, False]
    assert [chunk.deaths for chunk in line.chunks] == [0, 0, 1]


def test_what_a_chunk_had_no_room_for_comes_next() -> None:
    line = Line(rows(4))
    line.grow(2)
    line.grow(2)
    line.leave(line.first.rows.slice(1))
    assert keys(line) == [["k1"], ["k2", "k3"]]
    assert not line.grow(2)


@given(st.integers(1, 70), st.integers(1, 70), st.data())
def test_one_item_that_kills_is_found_and_its_neighbours_stay(
    count: int, most: int, data: st.DataObject
) -> None:
    killer = f"k{data.draw(st.integers(0, count - 1))}"
    line = Line(rows(count))
    done: list[str] = []
    deaths = 0
    while line.grow(most) or len(line):
        chunk = line.first
        if chunk.spent:
            assert chunk.keys == [killer]
        elif killer in chunk.keys:
            actor = f"actor {deaths}"
            given_out(line, 0, actor)
            line.lose(actor, "memory")
            deaths += 1
            continue
        done += chunk.keys
        line.leave(None)
    assert done == rows(count)["key"].to_pylist()
    assert deaths >= MOST_DEATHS
