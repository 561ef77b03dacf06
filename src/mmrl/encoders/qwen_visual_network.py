"""Qwen3-VL-Embedding's network on a device, from transformers, and its prompt.

Rows are padded at their ends, where a causal model's other tokens never look, so that no mask is
needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from mmrl.encoders.pairs import to_device
from mmrl.encoders.place import Place
from mmrl.encoders.qwen_sight import QwenSight
from mmrl.encoders.vision_library import ensure_torchvision
from mmrl.errors import WeightsError

ensure_torchvision()

from tokenizers import Tokenizer  # noqa: E402
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLModel  # noqa: E402
from transformers.utils import logging as transformers_logging  # noqa: E402
from transformers.utils.chat_template_utils import render_jinja_template  # noqa: E402

if TYPE_CHECKING:
    from mmrl.encoders.qwen_visual import Patches

# Its bar for loading weights would break into a stage's own.
transformers_logging.disable_progress_bar()

_PICTURE = "<|image_pad|>"  # stands for each of a picture's tokens
_TEXT = "\N{OBJECT REPLACEMENT CHARACTER}"  # where the text goes; in no template


class QwenVisualNetwork:
    """The model in evaluation mode.

    Attributes:
        side: of a patch, in pixels.
        merge: this many patches down and across become one token.
    """

    def __init__(self, folder: Path, place: Place) -> None:
        """Loads it.

        Raises:
            WeightsError: a file is broken, or weights are missing.
        """
        self._place = place
        self._model = _load(folder, place)
        self._sight = QwenSight(self._model, folder, place)
        self.side, self.merge = self._sight.side, self._sight.merge

    def vectors(
        self, pictures: "Sequence[Patches]", before: Sequence[int], after: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        """Vectors of shape (n, dim), float32, each of length 1.

        Args:
            pictures: one a row.
            before: the tokens before every picture.
            after: the tokens after each.
        """
        with torch.inference_mode():
            grids, seen = self._sight.seen(pictures)
            ids, positions, last = self._sight.rows(pictures, before, after)
            out = self._model(
                input_ids=to_device(ids, self._place),
                position_ids=to_device(positions, self._place),
                image_grid_thw=grids,
                mm_encoder_outputs={"image": seen},
                use_cache=False,
            ).last_hidden_state
            chosen = out[torch.arange(len(ids), device=out.device), to_device(last, self._place)]
            return F.normalize(chosen.float(), dim=-1)


@dataclass(frozen=True)
class Prompt:
    """The tokens around a picture and a text.

    Attributes:
        tokenizer: neither pads nor cuts yet.
        before: the tokens before the picture.
        between: those from there to the text.
        after: those after the text.
    """

    tokenizer: "Tokenizer"
    before: list[int]
    between: list[int]
    after: list[int]


def load_prompt(folder: Path, instruction: str) -> Prompt:
    """The prompt that a folder's template and tokenizer make.

    Raises:
        WeightsError: the template does not put a picture and a text in this order.
    """
    # From the file itself: transformers' class for it would rebuild it by its own rules.
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    turns = [
        {"role": "system", "content": [{"type": "text", "text": instruction}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": _TEXT}]},
    ]
    template = (folder / "chat_template.jinja").read_text("utf-8")
    rendered: Any = render_jinja_template(
        conversations=[turns], chat_template=template, add_generation_prompt=True
    )
    prompt: str = rendered[0][0]
    before, picture, rest = prompt.partition(_PICTURE)
    between, text, after = rest.partition(_TEXT)
    if not picture or not text or not between:
        raise WeightsError(
            f"The chat template of {folder} makes {prompt!r} of a picture and a text; it should "
            f"hold {_PICTURE} and then the text. Fetch the model's files anew."
        )
    return Prompt(
        tokenizer,
        tokenizer.encode(before, add_special_tokens=False).ids,
        tokenizer.encode(between, add_special_tokens=False).ids,
        # The tokenizer itself puts one more at the end, whose output is the vector.
        tokenizer.encode(after, add_special_tokens=True).ids,
    )


def _load(folder: Path, place: Place) -> Any:
    load: Any = Qwen3VLModel.from_pretrained
    try:
        model, info = load(
            folder,
            dtype=place.torch_dtype,
            attn_implementation="sdpa",
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise WeightsError(
            f"The model in {folder} can't be loaded ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:300]}). Fetch its files anew."
        ) from error
    # transformers fills what is missing with random numbers and only warns.
    missing = sorted(info["missing_keys"])
    if missing:
        raise WeightsError(
            f"The weights in {folder} lack {len(missing)} of the model's tables "
            f"({', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}). "
            "Fetch its files anew."
        )
    return model.to(place.torch_device).eval().requires_grad_(False)
