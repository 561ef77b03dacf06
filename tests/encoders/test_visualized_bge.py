"""Visualized BGE m3 on small random weights in the published layout."""

import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmrl.encoders.device.loaded_models import unload
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.networks.clip_image import SIDE, square
from mmrl.encoders.protocols import UnreadableImagesError
from mmrl.encoders.visual import VisualizedBge
from mmrl.errors import InputError, WeightsError
from tests.support.command import printed
from tests.support.hub_encoders import assert_missing_weights_are_named, scarce_memory
from tests.support.paths import FIXTURES
from tests.support.tiny_visual_models import (
    IMAGE_FILES,
    POSITIONS,
    TEXTS,
    WIDTH,
    image_file,
    save_bge_m3,
    save_visualized_bge,
    visualized_bge_weights,
)

pytestmark = pytest.mark.slow

PUBLISHED = json.loads((FIXTURES / "visualized_bge.json").read_text())


@pytest.fixture(scope="module")
def folder(model_folder: Path) -> Path:
    count = save_bge_m3(model_folder / "bge-m3")
    save_visualized_bge(model_folder / "visualized", visualized_bge_weights(count))
    return model_folder


def encoder(folder: Path, dtype: str = "float32", weights: Path | None = None) -> VisualizedBge:
    return VisualizedBge(
        Checkpoint("BAAI/bge-visualized", weights or folder / "visualized", "cpu", dtype),
        Checkpoint("BAAI/bge-m3", folder / "bge-m3", "cpu", dtype),
    )


@pytest.mark.parametrize(
    ("kind", "encode"),
    [
        ("picture and text", lambda e: e.encode(IMAGE_FILES, TEXTS)),
        ("picture", lambda e: e.encode_images(IMAGE_FILES)),
        ("text", lambda e: e.encode_texts(TEXTS)),
    ],
)
def test_vectors_are_those_of_the_published_code(folder, kind, encode):
    found = encode(encoder(folder))
    assert found.dtype == np.float32
    assert found.shape == (3, WIDTH)
    assert np.abs(found - np.array(PUBLISHED[kind])).max() < 1e-5


def test_bfloat16_gives_nearly_the_same_vectors(folder):
    half = encoder(folder, "bfloat16")
    for found, kind in [
        (half.encode(IMAGE_FILES, TEXTS), "picture and text"),
        (half.encode_texts(TEXTS), "text"),
    ]:
        cosines = (found * np.array(PUBLISHED[kind])).sum(1)
        assert cosines.min() > 0.999
        assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5


def test_what_an_item_is_batched_with_changes_nothing_and_the_order_is_kept(folder):
    net = encoder(folder)
    images = [image_file(seed, 230 + 17 * seed, 260) for seed in range(7)]
    texts = ["", "cat " * 60, "a", "the dog", "", "painting " * 30, "photo of a cat"]
    alone = [net.encode([i], [t])[0] for i, t in zip(images, texts, strict=True)]
    assert np.abs(net.encode(images, texts) - alone).max() < 1e-5
    backwards = net.encode(images[::-1], texts[::-1])[::-1]
    assert np.abs(backwards - alone).max() < 1e-5
    by_text = [net.encode_texts([text])[0] for text in texts]
    assert np.abs(net.encode_texts(texts) - by_text).max() < 1e-5


def test_nothing_gives_no_rows(folder):
    net = encoder(folder)
    assert net.encode([], []).shape == net.encode_texts([]).shape == (0, WIDTH)


def test_as_many_texts_as_images_are_asked_for(folder):
    with pytest.raises(InputError, match="3 images were given with 1 texts"):
        encoder(folder).encode(IMAGE_FILES, ["one"])


def test_unreadable_images_are_named_by_their_places(folder):
    images = [b"", IMAGE_FILES[0], b"no image", IMAGE_FILES[1]]
    with pytest.raises(UnreadableImagesError) as caught:
        encoder(folder).encode(images, ["a much longer text", "b", "", "d"])
    assert sorted(caught.value.errors) == [0, 2]
    readable = encoder(folder).encode(IMAGE_FILES[:2], ["b", "d"])
    assert np.abs(caught.value.done - readable).max() < 1e-5


def test_a_long_text_is_cut_and_counted(folder):
    net = encoder(folder)
    room = POSITIONS - 256 - 2  # with an image, and without its first and last token
    fitting, longer = " ".join("a" * room), " ".join("a" * (room + 1))
    rows = net.encode([IMAGE_FILES[0]] * 2, [fitting, longer])
    assert net.truncated == 1
    assert np.abs(rows[0] - rows[1]).max() < 1e-5
    net.encode_texts([longer, "short"])
    assert net.truncated == 2


def test_a_lone_surrogate_does_no_harm(folder):
    net = encoder(folder)
    assert np.array_equal(net.encode_texts(["a \ud800 cat"]), net.encode_texts(["a ? cat"]))


@pytest.mark.slow
def test_out_of_memory_halves_the_batch_and_gives_the_same(folder, monkeypatch, caplog):
    from mmrl.encoders.networks.visualized_bge import VisualizedBgeNetwork

    unload()
    net = encoder(folder)
    images, texts = [*IMAGE_FILES, IMAGE_FILES[0]], [*TEXTS, "again"]
    want = net.encode(images, texts)
    counts = scarce_memory(monkeypatch, VisualizedBgeNetwork, "with_images")
    with caplog.at_level(logging.WARNING):
        assert np.abs(net.encode(images, texts) - want).max() < 1e-5
    assert counts == [4, 2, 1, 1, 2, 1, 1]
    assert "going on with half" in caplog.text
    unload()


def test_the_id_is_known_without_torch(folder):
    code = f"""
import sys
from pathlib import Path
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.visual import VisualizedBge
root = Path({str(folder)!r})
made = VisualizedBge(Checkpoint("BAAI/bge-visualized", root / "visualized"),
                     Checkpoint("BAAI/bge-m3", root / "bge-m3"))
made.check()
print(made.id, made.dim)
heavy = {{"torch", "timm", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""
    shown = printed(code)
    made = encoder(folder)
    assert shown.split() == [made.id, str(WIDTH)]
    name, _, rest = made.id.partition("@")
    assert name == "visualized-bge-m3"
    assert len(rest.partition("+")[0]) == 12


def test_missing_weights_are_named_with_size_command_and_setting(folder, tmp_path):
    absent = encoder(folder, weights=tmp_path)
    for call in (absent.check, lambda: absent.encode(IMAGE_FILES, TEXTS)):
        assert_missing_weights_are_named(call, "BAAI/bge-visualized", "1.7 GB")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"model_visual.visual.blocks.1.attn.q_bias": None, "visual_proj.bias": None},
            r"2 missing \(model_visual.visual.blocks.1.attn.q_bias, visual_proj.bias\); "
            "0 unexpected",
        ),
        (
            {"model_visual.visual.blocks.0.mlp.w4.weight": np.zeros(3), "other": np.zeros(2)},
            r"0 missing; 2 unexpected \(model_visual.visual.blocks.0.mlp.w4.weight, other\)",
        ),
        ({"model_visual.visual.rope.freqs_sin": None}, r"missing \(.*rope.freqs_sin\)"),
        ({"visual_proj.bias": np.zeros(7)}, "does not fit the text encoder"),
    ],
)
def test_weights_that_are_not_as_published_are_told(folder, tmp_path, change, said):
    weights = visualized_bge_weights(122) | change
    kept = {key: value for key, value in weights.items() if value is not None}
    save_visualized_bge(tmp_path, kept)
    with pytest.raises(WeightsError, match=said):
        encoder(folder, weights=tmp_path).encode_texts(["a"])


def test_a_pickle_with_code_in_it_is_refused(folder, tmp_path):
    import pickle

    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "Visualized_m3.pth").write_bytes(pickle.dumps({"a": Evil()}, protocol=2))
    with pytest.raises(WeightsError, match="can't be read as weights"):
        encoder(folder, weights=tmp_path).encode_texts(["a"])
    assert not (tmp_path / "ran").exists()


@settings(max_examples=40)
@given(width=st.integers(1, 700), height=st.integers(1, 700), seed=st.integers(0, 99))
def test_an_image_is_prepared_as_torchvision_does(width, height, seed):
    from mmrl.encoders.networks.torchvision import ensure_torchvision

    ensure_torchvision()
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    data = image_file(seed, width, height)
    published = Compose([Resize(SIDE, InterpolationMode.BICUBIC), CenterCrop(SIDE)])
    if max(width, height) > 16 * min(width, height):
        assert square(data).shape == (SIDE, SIDE, 3)
    else:
        assert np.array_equal(square(data), published(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("size", [(1, 50_000), (50_000, 2)])
def test_a_very_long_image_costs_no_more_than_another(size):
    file = io.BytesIO()
    Image.new("RGB", size, (9, 99, 199)).save(file, "PNG")
    found = square(file.getvalue())
    assert found.shape == (SIDE, SIDE, 3)
    assert np.abs(found.astype(int) - (9, 99, 199)).max() <= 1
