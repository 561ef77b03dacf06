"""What any captioner's words must be before they count as a caption."""

import re

from mmrl.catalog.reasons import Reason
from mmrl.encoders.protocols import Caption, Phrase, Uncaptioned

_SHOWN = 100  # characters of a rejected text that its detail keeps


def judge(text: str, prompt: str, phrases: tuple[Phrase, ...] = ()) -> Caption | Uncaptioned:
    """The caption, or why the text is none: it is empty, or only repeats the prompt.

    A text without a letter or digit counts as empty. The beginning of the prompt, and the prompt
    once more and again, count as its repetition, whatever their case and marks.

    Args:
        text: with no space around it if `phrases` are given, whose places are in it.
    """
    words = _words(text)
    if not words:
        return Uncaptioned(Reason.EMPTY_CAPTION, repr(text[:_SHOWN]))
    asked = _words(prompt)
    repeated = (asked * (len(words) // max(len(asked), 1) + 1))[: len(words)]
    if asked and words == repeated:
        return Uncaptioned(Reason.PROMPT_ECHOED, repr(text[:_SHOWN]))
    return Caption(text.strip() if not phrases else text, phrases)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("_", " "))
