"""Kosmos-2's tokens to a text and the places that its phrases were seen at.

The model marks what it names: `<phrase> a fire</phrase><object><patch_index_0005>
<patch_index_0911></object>`, where the two patches are the upper left and the lower right one of a
box, among 32 x 32. This is what transformers' `post_process_generation` takes out again. It is
done here on tokens, not on their text, so that a text which itself has a `<` keeps it, and an
object without a phrase or a box turned inside out is left out.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from mmrl.encoders.device.tokens import load_tokenizer
from mmrl.encoders.protocols import Phrase
from mmrl.errors import WeightsError

SIDE = 32  # patches down and across
_TAGS = (
    *("</doc>", "<image>", "</image>", "</chunk>", "</line>", "<phrase>", "</phrase>"),
    *("<object>", "</object>", "</delimiter_of_multi_objects/>", "<grounding>"),
)
# In a text under way each tag is one lone surrogate, which no token's text has.
_PATCH, _TAG = 0xD800, 0xDC00
_MARK = re.compile("[\ud800-\udfff]")
_BOX = "[\ud800-\udbff]{2}"


def _mark(tag: str) -> str:
    return chr(_TAG + _TAGS.index(tag))


_BOXES = f"(?:{_BOX}{_mark('</delimiter_of_multi_objects/>')})*{_BOX}"
_NAMED = re.compile(
    f"{_mark('<phrase>')}([^\ud800-\udfff]+){_mark('</phrase>')}"
    f"{_mark('<object>')}({_BOXES}){_mark('</object>')}"
)

# As transformers' tokenizers do where `clean_up_tokenization_spaces` is set, in this order.
_CLOSER = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")


class Grounding:
    """The tokenizer of a folder.

    Attributes:
        tokenizer: neither pads nor cuts.
    """

    def __init__(self, folder: Path, model: str) -> None:
        """Loads it.

        Raises:
            WeightsError: a file is broken, or the tokenizer has not all of the tags.
        """
        again = f"Fetch it anew with `mmrl weights fetch {model}`."
        self.tokenizer = load_tokenizer(folder, model)
        path = folder / "tokenizer_config.json"
        try:
            settings = json.loads(path.read_text("utf-8"))
            self._closer = bool(settings.get("clean_up_tokenization_spaces", False))
        except (OSError, ValueError, AttributeError) as error:
            raise WeightsError(f"{path} is broken: {error}. {again}") from error
        marks = {tag: _mark(tag) for tag in _TAGS}
        marks |= {f"<patch_index_{i:04}>": chr(_PATCH + i) for i in range(SIDE**2)}
        missing = [tag for tag in marks if self.tokenizer.token_to_id(tag) is None]
        if missing:
            raise WeightsError(
                f"The tokenizer in {folder} is not that of {model}: it has no token "
                f"{missing[0]}. {again}"
            )
        self._marks = {self.tokenizer.token_to_id(tag): mark for tag, mark in marks.items()}
        added = self.tokenizer.get_added_tokens_decoder().items()
        self._silent = {i for i, token in added if token.special and i not in self._marks}

    def read(self, tokens: Sequence[int]) -> tuple[str, list[Phrase]]:
        """The text of new tokens, not tidied, and its phrases with their places in it."""
        end = self.tokenizer.token_to_id("</image>")
        after = max((place + 1 for place, token in enumerate(tokens) if token == end), default=0)
        marked = self._marked(tokens[after:])
        phrases = []
        for phrase in _NAMED.finditer(marked):
            boxes = tuple(box for pair in re.findall(_BOX, phrase[2]) if (box := _box(pair)))
            if boxes:
                start, stop = (len(_MARK.sub("", marked[:place])) for place in phrase.span(1))
                phrases.append(Phrase(start, stop, boxes))
        return _MARK.sub("", marked), phrases

    def _marked(self, tokens: Sequence[int]) -> str:
        """The text with marks for tags."""
        parts: list[str] = []
        words: list[str] = []
        for token in tokens:
            if token in self._marks:
                parts += [self._joined(words), self._marks[token]]
                words = []
            elif token not in self._silent:
                words.append(self.tokenizer.id_to_token(token) or "")
        return "".join([*parts, self._joined(words)])

    def _joined(self, words: list[str]) -> str:
        """The text of tokens: a "\u2581" is a space (tokenizers' own decoder drops the first)."""
        text = "".join(words).replace("\N{LOWER ONE EIGHTH BLOCK}", " ")
        if self._closer:
            for spaced in _CLOSER:
                text = text.replace(spaced, spaced.strip())
        return text


def _box(pair: str) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of a box given by two patches; None if it has no area.

    Source: microsoft/unilm, kosmos-2/demo/decode_string.py: the corners are the patches' middles,
    but their outer edges where both lie in one row or column.
    """
    (top, left), (bottom, right) = (divmod(ord(mark) - _PATCH, SIDE) for mark in pair)
    if right < left or bottom < top:
        return None
    if left == right or top == bottom:
        return left / SIDE, top / SIDE, (right + 1) / SIDE, (bottom + 1) / SIDE
    middles = (left + 0.5, top + 0.5, right + 0.5, bottom + 0.5)
    return middles[0] / SIDE, middles[1] / SIDE, middles[2] / SIDE, middles[3] / SIDE
