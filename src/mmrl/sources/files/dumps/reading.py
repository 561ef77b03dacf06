"""Dumps read block by block: unpacked in one place, parsed there or in processes beside it."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmrl.sources.files.content import Content, Entry
from mmrl.sources.files.dumps.block import Part, Reading, read_block
from mmrl.sources.files.dumps.json_content import Block, json_blocks
from mmrl.sources.files.source import Mark


@dataclass(frozen=True)
class Plan:
    """What is to be read.

    Attributes:
        files: one after the other, each with how its lines are read.
        begin: where to begin.
    """

    files: tuple[tuple[Path, Reading], ...]
    begin: Mark


@dataclass(frozen=True)
class Reached:
    """How far a file was read with a block: `entry`, `text` and `read` as the block has them."""

    file: int
    entry: Entry
    text: int
    read: int

    @classmethod
    def with_block(cls, file: int, block: Block) -> "Reached":
        """The end of a block."""
        return cls(file, block.entry, block.text, block.read)


def blocks(plan: Plan) -> Iterator[tuple[int, bool, Block]]:
    """The blocks of all files: which file each is of, and whether it is that file's first.

    Raises:
        InputError: a file can't be read (any further); the blocks before are good.
    """
    for number in range(plan.begin.file, len(plan.files)):
        begin = plan.begin if number == plan.begin.file else Mark()
        with Content(plan.files[number][0], begin.entry) as content:
            first = not begin.text
            for block in json_blocks(content, begin.text):
                yield number, first, block
                first = False


def read_here(plan: Plan) -> Generator[tuple[Part, Reached], None, None]:
    """Reads all files in this process.

    Raises:
        InputError: as `blocks`.
    """
    for number, first, block in blocks(plan):
        reached = Reached.with_block(number, block)
        for part in read_block(block, plan.files[number][1], first=first):
            yield part, reached
