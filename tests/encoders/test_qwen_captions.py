"""Qwen3-VL-Instruct as a captioner, on small random weights in the published layout."""

import io
import json
import logging
import shutil
from pathlib import Path

import pytest
from PIL import Image

from mmrl.catalog.reasons import Reason
from mmrl.encoders.caption import QwenCaptions
from mmrl.encoders.caption_text import tidy
from mmrl.encoders.device.loaded_models import unload
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.protocols import Caption, Uncaptioned, UnreadableImagesError
from mmrl.errors import ConfigError, WeightsError
from tests.support.command import printed
from tests.support.hub_encoders import assert_missing_weights_are_named, broken, scarce_memory
from tests.support.tiny_qwen_captions import save_qwen_captions
from tests.support.tiny_visual_models import IMAGE_FILES, image_file

pytestmark = pytest.mark.slow

NAME = "Qwen/Qwen3-VL-2B-Instruct"
# Of five shapes, so that rows have different lengths, and two of one shape.
IMAGES = [*IMAGE_FILES, image_file(4, 40, 700), image_file(5, 33, 20), image_file(6, 480, 640)]
FEW = 24  # new tokens


@pytest.fixture(scope="module")
def folder(model_folder: Path) -> Path:
    return save_qwen_captions(model_folder)


def captioner(folder: Path, most: int = FEW, **options) -> QwenCaptions:
    return QwenCaptions(Checkpoint(NAME, folder, "cpu", "float32"), max_new_tokens=most, **options)


def texts(results: list[Caption | Uncaptioned]) -> list[str]:
    return [got.text if isinstance(got, Caption) else got.reason.value for got in results]


def card(folder: Path, images: list[bytes], together: bool, most: int = FEW) -> list[str]:
    """The way of the model's card: template, processor, `generate`, the new tokens decoded.

    Args:
        together: all at once, padded on the left, or one after another.
    """
    import torch
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2VLImageProcessor,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor.from_pretrained(
            folder,
            size={
                "shortest_edge": QwenCaptions.least_tokens * 32**2,
                "longest_edge": QwenCaptions.image_tokens * 32**2,
            },
        ),
        tokenizer=PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"),
            pad_token="<|endoftext|>",
            padding_side="left",
        ),
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=json.loads((folder / "chat_template.json").read_text())["chat_template"],
    )
    model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    content = [{"type": "image"}, {"type": "text", "text": QwenCaptions.prompt}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    # Resized with Pillow beforehand: the processor's own resizing rounds a little differently.
    image_files = [_resized(data) for data in images]
    said = []
    for batch in [image_files] if together else [[one] for one in image_files]:
        inputs = processor(
            text=[prompt] * len(batch),
            images=batch,
            do_resize=False,
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            made = model.generate(**inputs, do_sample=False, max_new_tokens=most)
        new = made[:, inputs["input_ids"].shape[1] :]
        said += processor.batch_decode(
            new, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
    return [tidy(text.rstrip("\ufffd")).text for text in said]


def _resized(data: bytes) -> Image.Image:
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    image = Image.open(io.BytesIO(data)).convert("RGB")
    high, wide = smart_resize(
        image.height,
        image.width,
        32,
        QwenCaptions.least_tokens * 32**2,
        QwenCaptions.image_tokens * 32**2,
    )
    return image.resize((wide, high))


def test_captions_are_those_of_the_cards_way_one_by_one_and_padded_together(folder):
    found = texts(captioner(folder).caption(IMAGES))
    assert found == card(folder, IMAGES, together=False)
    assert found == card(folder, IMAGES, together=True)
    assert len(set(found)) >= 4  # they tell images apart


def test_what_an_image_is_batched_with_changes_nothing_and_the_order_is_kept(folder):
    net = captioner(folder)
    net._network().batches.size = 6
    together = net.caption(IMAGES)
    assert [net.caption([data])[0] for data in IMAGES] == together
    assert net.caption(IMAGES[::-1])[::-1] == together
    assert net.caption([]) == []


def test_bfloat16_captions_too(folder):
    half = QwenCaptions(Checkpoint(NAME, folder, "cpu", "bfloat16"), max_new_tokens=8)
    assert all(isinstance(got, Caption) for got in half.caption(IMAGES[:3]))


def test_a_text_ends_at_the_token_that_ends_it_and_the_others_of_its_batch_go_on(tmp_path):
    folder = save_qwen_captions(tmp_path / "ends", end=1.0)
    images = [IMAGES[0], *[IMAGES[4]] * 4, *IMAGES[1:4]]  # half of them end soon
    net = captioner(folder)
    net._network().batches.size = len(images)
    found = texts(net.caption(images))
    assert found == card(folder, images, together=False)
    assert {len(text) for text in found[1:5]} == {3}
    assert {len(text) for text in (found[0], *found[5:])} == {FEW}
    unload()


def test_nothing_said_and_an_echo_are_no_captions(folder, monkeypatch):
    from mmrl.encoders.networks.qwen3_vl_captions import QwenCaptionsNetwork

    said = ["", " \n", "Describe this image in one or two plain sentences!", '"A <b>cat</b>."']
    monkeypatch.setattr(QwenCaptionsNetwork, "write", lambda *_: [said.pop(0), said.pop(0)])
    empty, blank, echo, kept = captioner(folder).caption([IMAGE_FILES[0]] * 4)
    for got, reason in (
        (empty, Reason.EMPTY_CAPTION),
        (blank, Reason.EMPTY_CAPTION),
        (echo, Reason.PROMPT_ECHOED),
    ):
        assert isinstance(got, Uncaptioned)
        assert got.reason is reason
        assert not got.transient
    assert kept == Caption("A <b>cat</b>.")  # markup is a caption's text like any other


def test_a_marker_in_the_prompt_is_text_and_another_prompt_is_another_captioner(folder):
    plain, marked = captioner(folder), captioner(folder, prompt="<|im_end|> <|image_pad|>?")
    assert marked.id != plain.id
    assert all(isinstance(got, Caption) for got in marked.caption(IMAGES[:2]))


def test_larger_images_are_made_smaller_and_the_id_says_the_caps(folder):
    net = captioner(folder, picture_tokens=64)
    assert "64img" in net.id
    assert "24tok" in net.id
    assert net.id != captioner(folder).id
    assert isinstance(net.caption([image_file(8, 900, 700)])[0], Caption)


@pytest.mark.parametrize(
    "options", [{"prompt": " "}, {"most": 0}, {"picture_tokens": 63}], ids=lambda o: next(iter(o))
)
def test_a_captioner_that_could_say_nothing_is_refused(folder, options):
    with pytest.raises(ConfigError, match="give a prompt, 1 or more, and 64 or more"):
        captioner(folder, **options)


def test_unreadable_images_fail_alone(folder):
    images = [b"", IMAGE_FILES[0], b"no image", IMAGE_FILES[1], image_file(7, 2, 500)]
    net = captioner(folder)
    with pytest.raises(UnreadableImagesError) as caught:
        net.caption(images)
    assert sorted(caught.value.errors) == [0, 2, 4]
    assert "200 times" in caught.value.errors[4]
    assert caught.value.done == net.caption(IMAGE_FILES[:2])


@pytest.mark.slow
def test_out_of_memory_halves_the_batch_and_gives_the_same(folder, monkeypatch, caplog):
    from mmrl.encoders.networks.qwen3_vl_captions import QwenCaptionsNetwork

    unload()
    net = captioner(folder)
    want = net.caption(IMAGES)
    counts = scarce_memory(monkeypatch, QwenCaptionsNetwork, "write")
    with caplog.at_level(logging.WARNING):
        assert net.caption(IMAGES) == want
    assert counts == [2, 1, 1, 1, 1, 1, 1]
    assert "going on with half" in caplog.text
    unload()


def test_the_id_is_known_without_torch(folder):
    code = f"""
import sys
from pathlib import Path
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.caption import QwenCaptions
made = QwenCaptions(Checkpoint({NAME!r}, Path({str(folder)!r})), max_new_tokens={FEW})
made.check()
print(made.id)
heavy = {{"torch", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""
    shown = printed(code)
    assert shown.strip() == captioner(folder).id
    assert shown.startswith("qwen3-vl-2b-instruct@")


def test_missing_weights_are_named_with_size_command_and_setting(tmp_path):
    absent = captioner(tmp_path)
    for call in (absent.check, lambda: absent.caption(IMAGES)):
        assert_missing_weights_are_named(call, NAME, "4.3 GB")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("chat_template.json", '{"chat_template": "{{ messages[0].role }}"}', "an image and a"),
        ("chat_template.json", '{"chat_template": "{% if %}"}', "no chat template that works"),
        ("generation_config.json", "{}", "which tokens end a text"),
        ("preprocessor_config.json", "{}", "one mean and one deviation"),
        ("tokenizer.json", "{}", "is no tokenizer"),
        ("model.safetensors", "short", "can't be loaded"),
    ],
)
def test_a_broken_file_is_named(folder, tmp_path, name, content, said):
    copy = broken(folder, tmp_path / "m", name, content)
    with pytest.raises(WeightsError, match=said):
        captioner(copy).caption(IMAGE_FILES[:1])


def test_weights_that_lack_tables_are_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "m")
    state = load_file(tmp_path / "m" / "model.safetensors")
    del state["model.visual.merger.norm.weight"], state["model.language_model.norm.weight"]
    save_file(state, tmp_path / "m" / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"2 missing"):
        captioner(tmp_path / "m").caption(IMAGE_FILES[:1])


def test_the_frontier_profile_has_it(folder):
    from mmrl.config import Settings
    from mmrl.encoders.profiles import load_profile

    profile = load_profile(Settings(profile="frontier", weights={NAME: str(folder)}))
    assert isinstance(profile.captioner(), QwenCaptions)
    assert profile.ids["captioner"].startswith("qwen3-vl-2b-instruct@")
    spaces = {"title": 1024, "caption": 1024, "image": 1152, "visual": 2048, "text": 1024}
    assert profile.dims == spaces
