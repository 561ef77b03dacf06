"""Kosmos-2 on small random weights in the published layout, beside transformers' own way."""

import io
import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmrl.encoders.caption import Kosmos2
from mmrl.encoders.caption_text import judge, tidy
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.networks.kosmos2_grounding import Grounding
from mmrl.encoders.protocols import Caption, Phrase, Uncaptioned, UnreadableImagesError
from mmrl.errors import WeightsError
from tests.support.command import printed
from tests.support.tiny_caption_models import KOSMOS_TAGS, save_kosmos
from tests.support.tiny_visual_models import IMAGE_FILES, image_file

pytestmark = pytest.mark.slow

MODEL = "microsoft/kosmos-2-patch14-224"
IMAGES = [*IMAGE_FILES, *(image_file(seed, 60 + 9 * seed, 80) for seed in range(4, 10))]
TOKENS = 40
SNOWMAN = (
    "<grounding> An image of<phrase> a snowman</phrase><object><patch_index_0044>"
    "<patch_index_0863></object> warming himself by<phrase> a fire</phrase><object>"
    "<patch_index_0005><patch_index_0911></object>."
)


@pytest.fixture(scope="module")
def folder(model_folder: Path) -> Path:
    save_kosmos(model_folder)
    return model_folder


def captioner(folder: Path, tokens: int = TOKENS, dtype: str = "float32") -> Kosmos2:
    return Kosmos2(Checkpoint(MODEL, folder, "cpu", dtype), tokens)


@cache
def published(folder: Path) -> tuple[Any, Any]:
    """transformers' processor, with Pillow's resizing as at publication, and its model."""
    from transformers import AutoProcessor, CLIPImageProcessorPil, Kosmos2ForConditionalGeneration

    processor = AutoProcessor.from_pretrained(folder)
    processor.image_processor = CLIPImageProcessorPil.from_pretrained(folder)
    return processor, Kosmos2ForConditionalGeneration.from_pretrained(folder).eval()


def cards_way(folder: Path, image: bytes, tokens: int = TOKENS) -> Caption | Uncaptioned:
    """One image as the model's card does it, the prompt taken from its text."""
    processor, model = published(folder)
    rgb = Image.open(io.BytesIO(image)).convert("RGB")
    inputs = processor(text=Kosmos2.prompt, images=rgb, return_tensors="pt")
    generated = model.generate(
        pixel_values=inputs["pixel_values"],
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        image_embeds=None,
        image_embeds_position_mask=inputs["image_embeds_position_mask"],
        use_cache=True,
        max_new_tokens=tokens,
    )
    said = processor.batch_decode(generated, skip_special_tokens=True)[0]
    text, entities = processor.post_process_generation(said)
    prompt = Kosmos2.prompt.removeprefix("<grounding> ")
    assert text.startswith(prompt)
    cut = len(prompt)
    phrases = [Phrase(start - cut, end - cut, tuple(boxes)) for _, (start, end), boxes in entities]
    return judge(text[cut:], prompt, phrases)


def test_captions_are_those_of_the_cards_way(folder: Path) -> None:
    found = captioner(folder).caption(IMAGES)
    assert found == [cards_way(folder, image) for image in IMAGES]
    assert len({str(caption) for caption in found}) > len(IMAGES) / 2  # the images decide


def test_a_batch_says_what_each_alone_does(folder: Path) -> None:
    one = captioner(folder)
    assert one.caption(IMAGES) == [one.caption([image])[0] for image in IMAGES]
    assert one.caption(IMAGES[::-1]) == one.caption(IMAGES)[::-1]
    assert one.caption([]) == []


def test_pixels_are_those_of_the_published_preparation(folder: Path) -> None:
    processor, _ = published(folder)
    net = captioner(folder)._network()._network
    for image in IMAGES:
        rgb = Image.open(io.BytesIO(image)).convert("RGB")
        wanted = processor.image_processor(rgb, return_tensors="np")["pixel_values"][0]
        pixels = net.prepare(image)
        assert pixels.dtype == np.uint8
        scaled = (pixels / 255 - net.prepare.mean) / net.prepare.std
        assert np.abs(scaled.transpose(2, 0, 1) - wanted).max() < 1e-5


def test_a_text_ends_at_its_end_and_a_row_that_goes_on_is_not_disturbed(
    folder: Path, tmp_path: Path
) -> None:
    # The same model with another token as the end: one that some texts have early, others late.
    counts = [said_tokens(folder, image) for image in IMAGES]
    rare = min(
        {token for tokens in counts for token in tokens[4:]},
        key=lambda token: abs(sum(token in tokens for tokens in counts) - len(counts) // 2),
    )
    ends = [tokens.index(rare) if rare in tokens else None for tokens in counts]
    assert None in ends
    assert any(ends)
    shutil.copytree(folder, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["text_config"]["eos_token_id"] = rare
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    found = [said_tokens(tmp_path / "model", image) for image in IMAGES]
    assert found == [tokens[:end] for tokens, end in zip(counts, ends, strict=True)]
    net = captioner(tmp_path / "model")._network()
    together = net._network.write(
        np.stack([net.prepare(image) for image in IMAGES]), net._prompt, TOKENS
    )
    assert together == found


def said_tokens(folder: Path, image: bytes) -> list[int]:
    net = captioner(folder)._network()
    said: list[int] = net._network.write(np.stack([net.prepare(image)]), net._prompt, TOKENS)[0]
    return said


@pytest.mark.parametrize("most", [1, 7, 8, 9])
def test_no_more_tokens_than_allowed_are_written(folder: Path, most: int) -> None:
    net = captioner(folder)._network()
    pixels = np.stack([net.prepare(image) for image in IMAGES])
    written = net._network.write(pixels, net._prompt, most)
    assert [len(tokens) for tokens in written] == [most] * len(IMAGES)
    longer = net._network.write(pixels, net._prompt, most + 1)
    assert [tokens[:most] for tokens in longer] == written


def test_an_unreadable_image_fails_alone(folder: Path) -> None:
    one = captioner(folder)
    with pytest.raises(UnreadableImagesError) as caught:
        one.caption([IMAGES[0], b"no image", *IMAGES[1:6], b""])
    assert list(caught.value.errors) == [1, 7]
    assert caught.value.done == one.caption(IMAGES[:6])


@pytest.mark.slow
def test_a_batch_too_large_for_memory_is_halved(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    one = captioner(folder)
    wanted = one.caption(IMAGES)
    net = one._network()
    monkeypatch.setattr(net.batches, "size", 4)
    write = net._network.write

    def small_device(pixels: np.ndarray, prompt: Sequence[int], most: int) -> list[list[int]]:
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return write(pixels, prompt, most)

    monkeypatch.setattr(net._network, "write", small_device)
    assert one.caption(IMAGES) == wanted
    assert net.batches.size == 2
    assert "ran out of memory" in caplog.text


def test_bfloat16_captions_too(folder: Path) -> None:
    found = captioner(folder, dtype="bfloat16").caption(IMAGES[:2])
    assert all(isinstance(caption, Caption) for caption in found)


def test_the_id_needs_no_model_and_tells_prompt_and_cap(folder: Path) -> None:
    code = (
        "import sys; from mmrl.encoders.hub.checkpoint import Checkpoint; "
        "from mmrl.encoders.caption import Kosmos2; "
        f"one = Kosmos2(Checkpoint({MODEL!r})); print(one.id); "
        "print('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert printed(code).split() == [
        "kosmos-2-patch14-224@e91cfbcb4ce0+upright,9387fc0e,128tok",
        "False",
    ]
    assert captioner(folder, 64).id.endswith(",64tok")


def test_missing_weights_name_the_model_its_size_the_command_and_the_setting(
    tmp_path: Path,
) -> None:
    one = Kosmos2(Checkpoint(MODEL, tmp_path))
    for attempt in (one.check, lambda: one.caption([IMAGES[0]])):
        with pytest.raises(WeightsError) as caught:
            attempt()
        for part in (MODEL, "6.7 GB", f"mmrl weights fetch {MODEL}", "[weights]"):
            assert part in str(caught.value)


@pytest.mark.parametrize("damage", ["a table is missing", "no tags", "a cropped square"])
def test_another_models_files_are_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "model")
    root = tmp_path / "model"
    if damage == "a table is missing":
        state = load_file(root / "model.safetensors")
        del state["image_to_text_projection.latent_query"]
        save_file(state, root / "model.safetensors", {"format": "pt"})
    elif damage == "no tags":
        tokenizer = json.loads((root / "tokenizer.json").read_text("utf-8"))
        tokenizer["added_tokens"] = tokenizer["added_tokens"][:5]
        (root / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    else:
        (root / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 56}}')
    with pytest.raises(WeightsError, match="mmrl weights fetch"):
        captioner(root).caption(IMAGES[:1])


# What the model's tokens say


@pytest.fixture(scope="module")
def grounding(folder: Path) -> Grounding:
    return Grounding(folder, MODEL)


def tokens_of(grounding: Grounding, text: str) -> list[int]:
    return list(grounding.tokenizer.encode(text, add_special_tokens=False).ids)


def test_the_cards_snowman_is_read_as_on_the_card(grounding: Grounding) -> None:
    found = tidy(*grounding.read(tokens_of(grounding, SNOWMAN)))
    assert found == Caption(
        "An image of a snowman warming himself by a fire.",
        (
            Phrase(12, 21, ((0.390625, 0.046875, 0.984375, 0.828125),)),
            Phrase(41, 47, ((0.171875, 0.015625, 0.484375, 0.890625),)),
        ),
    )


@pytest.mark.parametrize("end", range(0, 60, 3))
def test_a_text_cut_anywhere_has_no_rest_of_a_tag_in_it(grounding: Grounding, end: int) -> None:
    tokens = tokens_of(grounding, SNOWMAN)[:end]
    found = tidy(*grounding.read(tokens))
    assert "An image of a snowman warming himself by a fire.".startswith(found.text)
    assert all(found.text[p.start : p.end] in ("a snowman", "a fire") for p in found.phrases)


def test_markup_that_the_image_shows_stays_plain_text(grounding: Grounding) -> None:
    written = "a sign: <b>cat</b> 3 < 4 <phras> &lt;"
    pieces = f" {written}".replace(" ", "\u2581")
    tokens = [grounding.tokenizer.get_vocab()[piece] for piece in pieces]
    assert tidy(*grounding.read(tokens)) == Caption(written)


def test_a_phrase_seen_twice_has_two_boxes_and_one_inside_out_has_none(
    grounding: Grounding,
) -> None:
    tokens = tokens_of(
        grounding,
        "<phrase> two dogs</phrase><object><patch_index_0000><patch_index_0000>"
        "</delimiter_of_multi_objects/><patch_index_0033><patch_index_1023></object> and"
        "<phrase> a cat</phrase><object><patch_index_0900><patch_index_0001></object>"
        "<object><patch_index_0000><patch_index_1023></object>",
    )
    found = tidy(*grounding.read(tokens))
    assert found.text == "two dogs and a cat"
    assert found.phrases == (
        Phrase(0, 8, ((0, 0, 1 / 32, 1 / 32), (1.5 / 32, 1.5 / 32, 31.5 / 32, 31.5 / 32))),
    )


WORD = st.sampled_from([" a", " cat", "s", " dog", ".", " .", " 's", " ,", " ", "first", "漢", "!"])
RUN = st.lists(WORD, max_size=4).map("".join)
BOX = st.tuples(st.integers(0, 1023), st.integers(0, 1023)).map(
    lambda pair: f"<patch_index_{min(pair):04}><patch_index_{max(pair):04}>"
)
BOXES = st.lists(BOX, min_size=1, max_size=3).map("</delimiter_of_multi_objects/>".join)
NAMED = st.tuples(RUN, BOXES).map(lambda p: f"<phrase>{p[0]}</phrase><object>{p[1]}</object>")
STRAY = st.sampled_from([*KOSMOS_TAGS[:20], "</s>", "<pad>"]).filter(lambda t: t != "</image>")


@given(pieces=st.lists(st.one_of(RUN, NAMED, STRAY), max_size=6))
@settings(max_examples=200)
def test_texts_and_places_are_those_of_transformers(
    folder: Path, grounding: Grounding, pieces: list[str]
) -> None:
    processor, _ = published(folder)
    tokens = tokens_of(grounding, "".join(pieces))
    decoded = processor.tokenizer.decode(tokens, skip_special_tokens=True)
    text, entities = processor.post_process_generation(decoded)
    wanted = [
        Phrase(start, end, kept)
        for name, (start, end), boxes in entities
        if name.strip() and not name.startswith("<patch_index")
        if (kept := tuple(box for box in boxes if box[0] < box[2] and box[1] < box[3]))
    ]
    assert tidy(*grounding.read(tokens)) == tidy(text, wanted)


@pytest.mark.parametrize("squeezed", [True, False])
def test_images_are_prepared_as_the_folder_says_squeezed_or_cropped(
    folder: Path, tmp_path: Path, squeezed: bool
) -> None:
    from transformers import CLIPImageProcessorPil

    from mmrl.encoders.networks.kosmos2 import _Preparation

    path = folder / "preprocessor_config.json"
    given = json.loads(path.read_text("utf-8"))
    given["size"] = {"height": 56, "width": 56} if squeezed else {"shortest_edge": 56}
    (tmp_path / path.name).write_text(json.dumps(given), "utf-8")
    prepare = _Preparation(tmp_path, MODEL)
    theirs = CLIPImageProcessorPil.from_pretrained(tmp_path)
    for image in IMAGES[:3]:
        rgb = Image.open(io.BytesIO(image)).convert("RGB")
        expected = theirs(rgb, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
        found = (prepare(image) / 255 - np.array(prepare.mean)) / np.array(prepare.std)
        assert np.abs(found - expected).max() < 1e-5
