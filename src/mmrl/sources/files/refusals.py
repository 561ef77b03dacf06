"""Refused rows of an import: some as examples, all of them in a file where they are many."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from mmrl.runtime.foreign_text import shown
from mmrl.sources.post import Refused

EXAMPLES = 3
_KINDS = 50  # of which examples are kept
_DETAIL = 300  # characters


class Refusals:
    """Refused rows as they come.

    Args:
        path: of the file to write them to; it is made with the first row beyond the examples. It
            names places and values, and nothing else of a post.

    Attributes:
        file: the file's path, once there is one.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: dict[tuple[str, str], list[str]] = {}
        self._first: list[tuple[str, Refused]] = []
        self._open: TextIO | None = None
        self._rows: Any = None
        self.file: str | None = None

    def add(self, rows: Iterable[tuple[str, Refused]]) -> None:
        """Takes rows with their places."""
        for place, row in rows:
            kind = str(row.reason), row.field
            if len(self._kept) < _KINDS or kind in self._kept:
                examples = self._kept.setdefault(kind, [])
                if len(examples) < EXAMPLES:
                    examples.append(f"{shown(place, 80)} {shown(row.detail, _DETAIL)}")
            if self._rows is not None:
                self._write(place, row)
            elif self._path is not None:
                self._first.append((place, row))
                if len(self._first) > EXAMPLES:
                    self._begin(self._path)

    def examples(self) -> list[str]:
        """The first of each kind, and then further ones, at most `EXAMPLES`."""
        kinds = list(self._kept.values())
        turns = (kind[turn] for turn in range(EXAMPLES) for kind in kinds if turn < len(kind))
        return list(turns)[:EXAMPLES]

    def close(self) -> None:
        """Ends the file."""
        if self._open is not None:
            self._open.close()

    def _begin(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open = path.open("w", encoding="utf-8", newline="")
        self.file = str(path)
        self._rows = csv.writer(self._open)
        self._rows.writerow(["place", "reason", "field", "detail"])
        for place, row in self._first:
            self._write(place, row)
        self._first = []

    def _write(self, place: str, row: Refused) -> None:
        self._rows.writerow(
            [shown(place, 200), str(row.reason), shown(row.field), shown(row.detail, _DETAIL)]
        )
