"""A real captioning server: `transformers serve` on loopback, with a tiny model of random weights.

Run as a program it writes the model's checkpoint and goes on as transformers' own command line; a
test imports it to start that program and to stop it.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MODEL = "tiny/llava-random"
START_SECONDS = 180.0  # a slow machine imports torch and transformers for a while
_REVISION = "0" * 39 + "1"
_SIDE = 28  # of the images that the model sees, in pixels
_PATCH = 14
_MARKS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")


def save_vision_language_model(hub: Path) -> None:
    """Writes a LLaVA checkpoint as a hub cache holds it: weights, processor, chat template.

    Its weights are random, so it writes nonsense; what it writes differs between images.
    """
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    repository = hub / f"models--{MODEL.replace('/', '--')}"
    folder = repository / "snapshots" / _REVISION
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(_REVISION)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(), bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": _SIDE}, crop_size=_SIDE),
        tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        chat_template=(
            "{% for message in messages %}{% for part in message['content'] %}"
            "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
            "{% endfor %}{% endfor %}"
        ),
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=_SIDE,
                patch_size=_PATCH,
            ),
            text_config=LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=2,
                initializer_range=0.5,  # far from 0, so that what is seen shows in what is said
            ),
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
            vision_feature_layer=-1,
        )
    )
    marks = tokenizer.convert_tokens_to_ids([*_MARKS])
    model.generation_config.suppress_tokens = marks  # words alone, as many as are asked for
    model.save_pretrained(folder)


def _tokenizer() -> "Tokenizer":
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = [f"word{number}" for number in range(100)]
    vocabulary = {word: number for number, word in enumerate([*_MARKS, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([*_MARKS])
    return tokenizer


@contextmanager
def transformers_server(folder: Path) -> Iterator[str]:
    """Starts `transformers serve` with the tiny model; yields the API's base URL.

    Args:
        folder: empty; becomes the server's hub cache, and holds its log.
    """
    hub = folder / "hub"
    port = _free_port()
    environment = os.environ | {
        "HF_HUB_CACHE": str(hub),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "DO_NOT_TRACK": "true",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, __file__, "serve", MODEL]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = folder / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urlopen(url, timeout=2) as answer:
                if json.load(answer)["status"] == "ok":
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"The server did not start:\n{log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def _run_transformers() -> None:
    from mmrl.encoders.networks.torchvision import ensure_torchvision

    ensure_torchvision()
    _decode_with_pillow()
    save_vision_language_model(Path(os.environ["HF_HUB_CACHE"]))
    from transformers.cli.transformers import app  # not main(): that asks PyPI for a newer version

    app()


def _decode_with_pillow() -> None:
    """Pillow decodes where torchvision's own decoders don't load (see `networks.torchvision`)."""
    import io

    import torchvision
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor

    try:
        torchvision.io.image._assert_has_image_ops()
    except RuntimeError:
        torchvision.io.decode_image = lambda data, mode, **_: pil_to_tensor(
            Image.open(io.BytesIO(data.numpy().tobytes())).convert(mode.name)
        )


if __name__ == "__main__":
    _run_transformers()
