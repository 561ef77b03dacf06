"""Blocks of a dump: whatever their lines hold, they are read as the careful parser reads them."""

from datetime import UTC, datetime
from itertools import islice
from random import Random

import orjson
import pytest

from benchmarks.faults.inputs import _bad_line, _good
from benchmarks.made_dump import posts
from mmrl.sources.files.content import BEGINNING
from mmrl.sources.files.dumps import block
from mmrl.sources.files.dumps.asked import Asked
from mmrl.sources.files.dumps.block import Part, Reading, read_block
from mmrl.sources.files.dumps.json_content import Block
from mmrl.sources.post import Unstated

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = datetime(2024, 1, 1, 0, 0, 3, tzinfo=UTC)


def lines(seed: int) -> bytes:
    """Made-up posts, and hostile ones, one after the other; some lines hold several."""
    dice = Random(seed)
    made = [orjson.dumps(post) for post in islice(posts(seed), 150)]
    bad = [_bad_line(dice, f"b{number}") for number in range(150)]
    good = [orjson.dumps(_good(f"g{number}")) for number in range(20)]
    several = [b"[" + b",".join(good[:3]) + b", 7]", b'{"kind": "t3", "data": ' + good[4] + b"}"]
    found = [*made, *bad, *good, *several]
    dice.shuffle(found)
    return b"\n".join(found) + b"\n"


def read(data: bytes, asked: Asked) -> list[Part]:
    whole = Block(data, False, BEGINNING, len(data), len(data))
    reading = Reading(asked, "dump:x", NOW, Unstated(NOW, settled=False))
    return list(read_block(whole, reading, first=True))


@pytest.mark.parametrize(
    "asked", [Asked(), Asked(frozenset({"pics", "madeup007"})), Asked(after=DAY), Asked(before=DAY)]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_block_is_read_as_if_each_line_was_parsed_with_care(
    asked: Asked, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lines(seed)
    monkeypatch.setattr(block, "BATCH", 90)
    found = read(data, asked)
    monkeypatch.setattr(block, "read_plain", lambda *_: None)
    assert found == read(data, asked)
    assert sum(len(part.rows.places) for part in found) > 5
    assert sum(len(part.rows.refused) for part in found) > 10
