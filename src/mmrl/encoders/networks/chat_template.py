"""The prompt that a model's own chat template makes of an image and a text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.encoders.networks.torchvision import ensure_torchvision
from mmrl.errors import WeightsError

ensure_torchvision()

from transformers.utils.chat_template_utils import render_jinja_template  # noqa: E402

_IMAGE = "<|image_pad|>"  # stands for each of an image's tokens
_TEXT = "\N{OBJECT REPLACEMENT CHARACTER}"  # where the text goes; in no template


def around(path: Path, model: str, before: Sequence[dict[str, Any]] = ()) -> tuple[str, str, str]:
    """The prompt's text before the image, from there to the user's text, and after that.

    Args:
        path: a file of the template: Jinja itself, or `chat_template` in a `.json`.
        model: the name on the hub, for errors.
        before: the turns before the user's, which is an image and a text.

    Raises:
        WeightsError: the file is broken, or does not put an image and a text in this order.
    """
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": _TEXT}]}
    try:
        template = path.read_text("utf-8")
        if path.suffix == ".json":
            template = json.loads(template)["chat_template"]
        rendered: Any = render_jinja_template(
            conversations=[[*before, turn]], chat_template=template, add_generation_prompt=True
        )
        made: str = rendered[0][0]
    # Jinja raises whatever a broken template makes it trip over.
    except Exception as error:
        raise WeightsError(
            f"{path} holds no chat template that works ({type(error).__name__}: {error}): run "
            f"`mmrl weights fetch {model}`."
        ) from error
    start, image, rest = made.partition(_IMAGE)
    between, text, end = rest.partition(_TEXT)
    if not (start and image and between and text and end):
        raise WeightsError(
            f"The chat template in {path} makes {made!r} of an image and a text; it should hold "
            f"{_IMAGE} and then the text, with marks around them: run `mmrl weights fetch "
            f"{model}`."
        )
    return start, between, end
