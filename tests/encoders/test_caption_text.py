"""Texts that count as captions."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog.reasons import Reason
from mmrl.encoders.caption_text import LONGEST, judge, prompt_mark, tidy
from mmrl.encoders.protocols import Caption, Phrase, Uncaptioned

PROMPT = "Describe this image in detail:"
BOX = ((0.0, 0.0, 1.0, 1.0),)


@pytest.mark.parametrize("text", ["", "  \n", "...", '""', "\x00\x07", "!?", "\ud800", "_"])
def test_a_text_without_words_is_empty(text: str) -> None:
    found = judge(text, PROMPT)
    assert isinstance(found, Uncaptioned)
    assert found.reason == Reason.EMPTY_CAPTION
    found.detail.encode()  # can be stored


@pytest.mark.parametrize(
    "text",
    [
        PROMPT,
        "describe  this image in DETAIL",
        "Describe this",
        "Describe this image in detail: describe this image in detail: describe",
    ],
)
def test_the_prompt_or_a_part_of_it_is_no_caption(text: str) -> None:
    found = judge(text, PROMPT)
    assert isinstance(found, Uncaptioned)
    assert found.reason == Reason.PROMPT_ECHOED


def test_a_caption_may_begin_like_the_prompt() -> None:
    assert judge("Describe this image in detail: a cat", PROMPT) == Caption(
        "Describe this image in detail: a cat"
    )


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("  a cat\n\n on\ta mat ", "a cat on a mat"),
        ("a\x00 c\x1bat\ud800", "a cat"),
        ('"A cat."', "A cat."),
        ("\u201c A cat. \u201d", "A cat."),
        ('"A" and "B"', '"A" and "B"'),
        ("the dogs' cats'", "the dogs' cats'"),
        ("a <b>bold</b> <phrase> &amp; <3", "a <b>bold</b> <phrase> &amp; <3"),
        ("\U0001f468\u200d\U0001f469 and 漢字", "\U0001f468\u200d\U0001f469 and 漢字"),
    ],
)
def test_a_caption_is_tidied(text: str, tidied: str) -> None:
    assert judge(text, PROMPT) == Caption(tidied)


def test_a_caption_without_end_is_cut_at_a_word() -> None:
    found = judge("word " * 1000, PROMPT)
    assert isinstance(found, Caption)
    assert LONGEST * 0.9 < len(found.text) <= LONGEST
    assert found.text.endswith("word")
    endless = judge("x" * 5000, PROMPT)
    assert isinstance(endless, Caption)
    assert len(endless.text) == LONGEST


def test_phrases_move_with_their_words() -> None:
    text = '"  A\n\n snow\x00man   and  a fire "'
    start, fire = text.index("\n"), text.index("a fire")
    phrases = (Phrase(start, start + 12, BOX), Phrase(fire, fire + 6, BOX), Phrase(1, 3, BOX))
    found = tidy(text, phrases)
    assert found.text == "A snowman and a fire"
    assert [found.text[p.start : p.end] for p in found.phrases] == ["snowman", "a fire"]


def squeezed(text: str) -> str:
    """What may be left of a text, without its spaces."""
    return "".join(
        c for c in text if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cs")
    )


@given(
    st.text(st.characters(exclude_characters="\"'`\u201c\u2018\xab")),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))),
)
def test_every_phrase_keeps_its_words_whatever_the_text(
    text: str, places: list[tuple[int, int]]
) -> None:
    spans = [sorted(min(place, len(text)) for place in pair) for pair in places]
    found = tidy(text, [Phrase(start, end, BOX) for start, end in spans])
    said = [found.text[phrase.start : phrase.end] for phrase in found.phrases]
    assert all(words == words.strip() for words in said)
    wanted = [squeezed(text[start:end]) for start, end in spans]
    assert [squeezed(words) for words in said] == [words for words in wanted if words]
    assert squeezed(found.text) == squeezed(text)
    assert tidy(found.text).text == found.text


def test_a_prompt_is_told_from_another() -> None:
    assert prompt_mark(PROMPT) != prompt_mark(PROMPT + " ")
    assert len(prompt_mark(PROMPT)) == 8
