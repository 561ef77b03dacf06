"""Captions from a captioner's words: tidied, or refused as empty or as the prompt repeated."""

import hashlib
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence

from mmrl.catalog.reasons import Reason
from mmrl.encoders.protocols import Caption, Phrase, Uncaptioned

LONGEST = 2000  # characters: several times what any captioner here is allowed to say
_SHOWN = 100  # characters of a rejected text that its detail keeps
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\xab": "\xbb", "`": "`"}


def judge(text: str, prompt: str, phrases: Sequence[Phrase] = ()) -> Caption | Uncaptioned:
    """The caption, tidied, or why the text is none: it is empty, or only repeats the prompt.

    A text without a letter or digit counts as empty. The beginning of the prompt, and the prompt
    once more and again, count as its repetition, whatever their case and marks.

    Args:
        text: without the captioner's own markers; any other markup in it is kept as plain text.
        phrases: with places in `text`; the caption's have them in its own text.
    """
    words = _words(text)
    if not words:
        return Uncaptioned(Reason.EMPTY_CAPTION, _show(text))
    asked = _words(prompt)
    repeated = (asked * (len(words) // max(len(asked), 1) + 1))[: len(words)]
    if asked and words == repeated:
        return Uncaptioned(Reason.PROMPT_ECHOED, _show(text))
    return tidy(text, phrases)


def tidy(text: str, phrases: Sequence[Phrase] = ()) -> Caption:
    """A text on one line, without control characters, quotes around it and what is too long.

    Phrases move with their words; one of which nothing is left is left out.
    """
    kept = _cut(text, _unquoted(text, _on_one_line(text)))
    tidied = "".join(" " if text[place].isspace() else text[place] for place in kept)
    moved = []
    for phrase in phrases:
        start, end = bisect_left(kept, phrase.start), bisect_left(kept, phrase.end)
        inside = tidied[start:end]
        start += len(inside) - len(inside.lstrip())
        end -= len(inside) - len(inside.rstrip())
        if start < end:
            moved.append(Phrase(start, end, phrase.boxes))
    return Caption(tidied, tuple(moved))


def prompt_mark(prompt: str) -> str:
    """Eight digits that tell a prompt from others, in a captioner's id."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:8]


def _on_one_line(text: str) -> list[int]:
    """Places of the characters to keep: of a run of spaces the first, none around the text."""
    kept: list[int] = []
    for place, character in enumerate(text):
        if character.isspace():
            if kept and not text[kept[-1]].isspace():
                kept.append(place)
        elif unicodedata.category(character) not in ("Cc", "Cs"):
            kept.append(place)
    return _without_space(text, kept)


def _unquoted(text: str, kept: list[int]) -> list[int]:
    """Without a pair of quotes around all of it, unless the same quote is inside, too."""
    if len(kept) < 2:
        return kept
    first, last = text[kept[0]], text[kept[-1]]
    inside = [text[place] for place in kept[1:-1]]
    if _QUOTES.get(first) != last or first in inside or last in inside:
        return kept
    return _without_space(text, kept[1:-1])


def _cut(text: str, kept: list[int]) -> list[int]:
    """No more than `LONGEST`, to the end of a word if one ends in the last tenth."""
    if len(kept) <= LONGEST:
        return kept
    end = LONGEST
    while end > LONGEST * 0.9 and not text[kept[end]].isspace():
        end -= 1
    if not text[kept[end]].isspace():
        end = LONGEST
    return _without_space(text, kept[:end])


def _without_space(text: str, kept: list[int]) -> list[int]:
    start, end = 0, len(kept)
    while start < end and text[kept[start]].isspace():
        start += 1
    while end > start and text[kept[end - 1]].isspace():
        end -= 1
    return kept[start:end]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("_", " "))


def _show(text: str) -> str:
    return ascii(text[:_SHOWN])
