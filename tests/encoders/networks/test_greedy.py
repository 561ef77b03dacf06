"""Greedy texts of many rows, on a table in the place of a model."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrl.encoders.networks.greedy import greedy

LONG = 40


class Table:
    """Says each row of a table, whichever rows are still kept, and checks what it is given."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = rows
        self.place = 0
        self.widths: list[int] = []

    def first(self) -> torch.Tensor:
        self.widths.append(len(self.rows))
        scores = torch.zeros(len(self.rows), 10)
        for number, row in enumerate(self.rows):
            scores[number, row[self.place]] = 1
        return scores

    def following(self, tokens: torch.Tensor) -> torch.Tensor:
        assert tokens.tolist() == [row[self.place] for row in self.rows]
        self.place += 1
        return self.first()

    def keep(self, rows: torch.Tensor) -> None:
        self.rows = [self.rows[number] for number in rows.tolist()]


def until(row: list[int], stops: set[int], most: int) -> list[int]:
    found = []
    for token in row[:most]:
        if token in stops:
            break
        found.append(token)
    return found


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=LONG, max_size=LONG), min_size=1, max_size=6),
    st.sets(st.integers(0, 9), min_size=1, max_size=3),
    st.integers(1, LONG),
)
def test_each_row_says_what_it_would_alone(
    rows: list[list[int]], stops: set[int], most: int
) -> None:
    assert greedy(Table(rows), stops, most) == [until(row, stops, most) for row in rows]


def test_rows_that_have_ended_are_let_go_and_an_ended_batch_is_left() -> None:
    short, long = [1, 9] + [1] * 38, [2] * 30 + [9] + [2] * 9
    table = Table([short, long, short, short])
    assert greedy(table, {9}, LONG) == [[1], [2] * 30, [1], [1]]
    assert table.widths == [4] * 8 + [1] * 24  # looked at after 8 tokens, left after 32
