"""Encoding and separator of a table of text, found from how it begins, or named by the user."""

import codecs
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown

_MARKS = {  # byte order marks, the longer ones first
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_WIDE = ("utf-16", "utf-32")
_TOLD = 32_000  # bytes of lines with other letters than ASCII that tell the encoding


@dataclass(frozen=True)
class Dialect:
    """How a table of text is written.

    Attributes:
        encoding: as Python's codecs name it.
        separator: of its values, one character.
        guessed: the encoding was told by the letters, not by a mark or by the user.
    """

    encoding: str
    separator: str
    guessed: bool = False

    @property
    def is_wide(self) -> bool:
        """True where a line end is more than one byte."""
        return self.encoding.replace("_", "-").startswith(_WIDE)

    def line(self) -> str:
        """The dialect in words."""
        name = SEPARATORS.get(self.separator, f"'{shown(self.separator)}'")
        hint = "  (a guess: --encoding if letters look wrong)" if self.guessed else ""
        return f"encoding = {self.encoding}, separator = {name}{hint}"


def find_dialect(
    head: bytes,
    recognised: Callable[[Sequence[str]], int],
    *,
    encoding: str | None = None,
    separator: str | None = None,
) -> Dialect:
    """The dialect of a table.

    Args:
        head: how the file begins.
        recognised: how many of some column names are known; the separator with the most is taken.
        encoding, separator: as the user says; the separator also by name, such as `tab`.

    Raises:
        InputError: one of them is not known.
    """
    guessed = False
    if encoding is None:
        encoding, guessed = _encoding(head)
    else:
        try:
            encoding = codecs.lookup(encoding).name
        except LookupError:
            raise InputError(
                f"--encoding {shown(encoding)}: not an encoding that Python knows; common ones are "
                "utf-8, utf-16, cp1252 and shift_jis."
            ) from None
    if separator is None:
        separator = _separator(head, encoding, recognised)
    else:
        names = {name: sign for sign, name in SEPARATORS.items()}
        separator = names.get(separator, "\t" if separator == "\\t" else separator)
        if len(separator) != 1 or separator in '"\r\n':
            raise InputError(
                f"--separator {shown(separator)}: expected one character, or one of "
                f"{', '.join(names)}."
            )
    return Dialect(encoding, separator, guessed)


def _encoding(head: bytes) -> tuple[str, bool]:
    """The encoding, and whether only letters told it."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name, False
    wide = _without_mark(head)
    if wide is not None:
        return wide, True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return "utf-8", False
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    telling = b"\n".join(line for line in head.splitlines() if not line.isascii())[:_TOLD]
    # A line that happens to begin with a mark is no UTF-16: the file has none in front.
    guesses = from_bytes(telling)
    matches = [match for match in guesses if not match.encoding.startswith(("utf_16", "utf_32"))]
    if not matches:
        raise InputError("The table's encoding can't be told: name it with --encoding.")
    best = [match.encoding for match in matches if match == matches[0] or _ties(match, matches[0])]
    return ("cp1252" if "cp1252" in best else best[0]), True


def _ties(match: object, best: object) -> bool:
    """True where two encodings fit as well; of the western ones Excel writes cp1252."""
    return all(
        abs(getattr(match, name) - getattr(best, name)) < 0.01 for name in ("chaos", "coherence")
    )


def _without_mark(head: bytes) -> str | None:
    """UTF-16 without its mark, told by its zero bytes, which text of another kind has none of."""
    pairs = len(head) // 2
    if pairs < 4:
        return None
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if odd > pairs * 0.4 and even < pairs * 0.05:
        return "utf-16-le"
    if even > pairs * 0.4 and odd < pairs * 0.05:
        return "utf-16-be"
    return None


def _separator(head: bytes, encoding: str, recognised: Callable[[Sequence[str]], int]) -> str:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    first = next((line for line in text.splitlines() if line.strip()), "")

    def fits(separator: str) -> tuple[int, int]:
        names = next(csv.reader([first], delimiter=separator), [])
        return recognised(names), len(names)

    return max(SEPARATORS, key=fits)
