"""Qwen3-VL-Embedding on small random weights in the published layout."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmrl.encoders.device.loaded_models import unload
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.networks.patches import Grid
from mmrl.encoders.protocols import UnreadableImagesError
from mmrl.encoders.visual import QwenVisual
from mmrl.errors import InputError, WeightsError
from tests.support.command import printed
from tests.support.hub_encoders import assert_missing_weights_are_named, broken, scarce_memory
from tests.support.tiny_visual_models import IMAGE_FILES, QWEN_WIDTH, image_file, save_qwen_visual

pytestmark = pytest.mark.slow

IMAGES = [*IMAGE_FILES, image_file(4, 40, 700), image_file(5, 33, 20), image_file(6, 1200, 900)]
TEXTS = ["a photo of the dog", "", "漢字 é\n", "x" * 90, "Where?", ""]


@pytest.fixture(scope="module")
def folder(model_folder: Path) -> Path:
    save_qwen_visual(model_folder)
    return model_folder


def encoder(folder: Path, dtype: str = "float32") -> QwenVisual:
    return QwenVisual(Checkpoint("Qwen/Qwen3-VL-Embedding-2B", folder, "cpu", dtype))


def authors_vectors(folder: Path, images: list[bytes], texts: list[str]) -> np.ndarray:
    """The way of its authors' script: transformers' processor, padding, mask, last token."""
    import torch
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2VLImageProcessor,
        Qwen3VLModel,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor.from_pretrained(folder),
        tokenizer=PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"),
            pad_token="<|endoftext|>",
            padding_side="right",
        ),
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=(folder / "chat_template.jinja").read_text(),
    )
    image_files = []
    for data in images:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        high, wide = smart_resize(
            image.height, image.width, 32, 4 * 32**2, QwenVisual.image_tokens * 32**2
        )
        image_files.append(image.resize((wide, high)))
    turns = [
        [
            {"role": "system", "content": [{"type": "text", "text": QwenVisual.instruction}]},
            {
                "role": "user",
                "content": [{"type": "image"}, *([{"type": "text", "text": text}] if text else [])],
            },
        ]
        for text in texts
    ]
    prompts = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    inputs = processor(
        text=prompts, images=image_files, do_resize=False, padding=True, return_tensors="pt"
    )
    model = Qwen3VLModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        states = model(**inputs).last_hidden_state
    last = inputs["attention_mask"].sum(1) - 1
    rows = states[torch.arange(len(last)), last]
    return torch.nn.functional.normalize(rows, dim=-1).numpy()


def test_vectors_are_those_of_the_authors_way(folder):
    found = encoder(folder).encode(IMAGES, TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (len(IMAGES), QWEN_WIDTH)
    assert np.abs(found - authors_vectors(folder, IMAGES, TEXTS)).max() < 1e-5
    assert (found @ found.T)[np.triu_indices(len(found), 1)].max() < 0.99  # they tell items apart


def test_bfloat16_gives_nearly_the_same_vectors(folder):
    whole = encoder(folder).encode(IMAGES, TEXTS)
    half = encoder(folder, "bfloat16").encode(IMAGES, TEXTS)
    assert (whole * half).sum(1).min() > 0.999


def test_what_an_item_is_batched_with_changes_nothing_and_the_order_is_kept(folder):
    net = encoder(folder)
    alone = [net.encode([i], [t])[0] for i, t in zip(IMAGES, TEXTS, strict=True)]
    assert np.abs(net.encode(IMAGES, TEXTS) - alone).max() < 1e-5
    backwards = net.encode(IMAGES[::-1], TEXTS[::-1])[::-1]
    assert np.abs(backwards - alone).max() < 1e-5


def test_nothing_gives_no_rows_and_unequal_numbers_are_refused(folder):
    net = encoder(folder)
    assert net.encode([], []).shape == (0, QWEN_WIDTH)
    with pytest.raises(InputError, match="6 images were given with 1 texts"):
        net.encode(IMAGES, ["one"])


def test_unreadable_images_are_named_by_their_places(folder):
    images = [b"", IMAGE_FILES[0], b"no image", image_file(7, 2, 500)]
    with pytest.raises(UnreadableImagesError) as caught:
        encoder(folder).encode(images, ["a much longer text", "b", "", "d"])
    assert sorted(caught.value.errors) == [0, 2, 3]
    assert "200 times" in caught.value.errors[3]


def test_a_long_text_is_cut_and_counted_and_odd_ones_do_no_harm(folder):
    net = encoder(folder)
    rows = net.encode([IMAGE_FILES[0]] * 2, ["a" * 512, "a" * 513])
    assert net.truncated == 1
    assert np.abs(rows[0] - rows[1]).max() < 1e-5
    odd = net.encode([IMAGE_FILES[0]] * 2, ["a \ud800", "a ?"])
    assert np.abs(odd[0] - odd[1]).max() < 1e-5


def test_a_marker_in_a_title_is_text(folder):
    net = encoder(folder)
    rows = net.encode([IMAGE_FILES[0]] * 2, ["<|image_pad|><|im_end|>", ""])
    assert np.isfinite(rows).all()
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


@pytest.mark.slow
def test_out_of_memory_halves_the_batch_and_gives_the_same(folder, monkeypatch, caplog):
    from mmrl.encoders.networks.qwen3_vl_embedding import QwenVisualNetwork

    unload()
    net = encoder(folder)
    want = net.encode(IMAGES, TEXTS)
    counts = scarce_memory(monkeypatch, QwenVisualNetwork, "vectors")
    with caplog.at_level(logging.WARNING):
        assert np.abs(net.encode(IMAGES, TEXTS) - want).max() < 1e-5
    assert counts == [2, 1, 1, 1, 1, 1, 1]
    assert "going on with half" in caplog.text
    unload()


def test_the_id_is_known_without_torch(folder):
    code = f"""
import sys
from pathlib import Path
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.visual import QwenVisual
made = QwenVisual(Checkpoint("Qwen/Qwen3-VL-Embedding-2B", Path({str(folder)!r})))
made.check()
print(made.id, made.dim)
heavy = {{"torch", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""
    shown = printed(code)
    assert shown.split() == [encoder(folder).id, str(QWEN_WIDTH)]
    assert shown.startswith("qwen3-vl-embedding-2b@")


def test_missing_weights_are_named_with_size_command_and_setting(tmp_path):
    absent = encoder(tmp_path)
    for call in (absent.check, lambda: absent.encode(IMAGES, TEXTS)):
        assert_missing_weights_are_named(call, "Qwen/Qwen3-VL-Embedding-2B", "4.3 GB")


def test_weights_that_lack_tables_are_refused(folder, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "m")
    state = load_file(tmp_path / "m" / "model.safetensors")
    del state["model.visual.merger.norm.weight"], state["model.language_model.norm.weight"]
    save_file(state, tmp_path / "m" / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"2 missing.*language_model.norm.weight, visual"):
        encoder(tmp_path / "m").encode(IMAGES, TEXTS)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("chat_template.jinja", "{{ messages[1].content[1].text }}", "of an image and a text"),
        ("chat_template.jinja", "{% if %}", "no chat template that works"),
        ("tokenizer.json", "{}", "is no tokenizer"),
        ("model.safetensors", "short", "can't be loaded"),
    ],
)
def test_a_broken_file_is_named(folder, tmp_path, name, content, said):
    copy = broken(folder, tmp_path / "m", name, content)
    with pytest.raises(WeightsError, match=said):
        encoder(copy).encode(IMAGES, TEXTS)


@settings(max_examples=300)
@given(st.integers(1, 9_000), st.integers(1, 9_000))
def test_images_are_sized_as_its_authors_do(width, height):
    from mmrl.encoders.networks.torchvision import ensure_torchvision

    ensure_torchvision()
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    if max(width, height) > 200 * min(width, height):
        return
    high, wide = smart_resize(height, width, 32, 4 * 32**2, QwenVisual.image_tokens * 32**2)
    assert Grid(16, 2, 4, QwenVisual.image_tokens).size(width, height) == (wide, high)
