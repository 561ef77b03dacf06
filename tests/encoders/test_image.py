"""timm's and SigLIP's image encoders on small random weights in their published layouts."""

import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.image import SiglipImages, TimmImages
from mmrl.encoders.protocols import UnreadableImagesError
from mmrl.errors import WeightsError
from tests.support.command import printed
from tests.support.tiny_image_models import WIDTH, save_siglip, save_timm
from tests.support.tiny_visual_models import IMAGE_FILES, image_file

VIT, SIGLIP = (
    "timm/vit_large_patch16_384.augreg_in21k_ft_in1k",
    "google/siglip2-so400m-patch14-384",
)
CLASSES: dict[str, type] = {VIT: TimmImages, SIGLIP: SiglipImages}


@pytest.fixture(scope="module")
def folder(model_folder: Path) -> Path:
    save_timm(model_folder / VIT, old=True)
    save_siglip(model_folder / SIGLIP)
    return model_folder


def encoder(folder: Path, name: str, dtype: str = "float32") -> Any:
    return CLASSES[name](Checkpoint(name, folder / name, "cpu", dtype))


@pytest.mark.slow
def test_timm_features_are_timms_own_pooled_pre_logits(folder: Path, tmp_path: Path) -> None:
    import timm
    import torch
    from timm.data import create_transform, resolve_data_config

    found = encoder(folder, VIT).encode(IMAGE_FILES)
    theirs: Any = timm.create_model(
        f"local-dir:{save_timm(tmp_path / 'new')}", pretrained=True
    ).eval()
    transform: Any = create_transform(**resolve_data_config(model=theirs))
    pixels = torch.stack([transform(Image.open(io.BytesIO(data))) for data in IMAGE_FILES])
    with torch.inference_mode():
        expected = theirs.forward_head(theirs.forward_features(pixels), pre_logits=True).numpy()
    assert found.dtype == np.float32
    assert found.shape == (3, WIDTH) == (3, encoder(folder, VIT).dim)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_siglip_vectors_are_transformers_own_image_features(folder: Path) -> None:
    import torch
    from transformers import SiglipModel
    from transformers.models.siglip import SiglipImageProcessorPil

    found = encoder(folder, SIGLIP).encode(IMAGE_FILES)
    theirs = SiglipModel.from_pretrained(folder / SIGLIP, local_files_only=True).eval()
    processor: Any = SiglipImageProcessorPil.from_pretrained(folder / SIGLIP)
    images = [Image.open(io.BytesIO(data)) for data in IMAGE_FILES]
    with torch.inference_mode():
        given = processor(images, return_tensors="pt")["pixel_values"]
        features = theirs.get_image_features(pixel_values=given)
        pooled = getattr(features, "pooler_output", features)
        expected = torch.nn.functional.normalize(pooled, dim=-1).numpy()
    assert found.shape == (3, WIDTH) == (3, encoder(folder, SIGLIP).dim)
    assert np.abs(found - expected).max() < 1e-5


def test_pixels_are_those_of_timms_whole_transform(folder: Path) -> None:
    import torch
    from timm.data import create_transform, resolve_data_config

    network = encoder(folder, VIT)._network()._network
    data = json.loads((folder / VIT / "config.json").read_text("utf-8"))
    transform: Any = create_transform(**resolve_data_config(pretrained_cfg=data))
    for size in ((60, 80), (48, 48), (333, 50), (31, 300), (640, 481)):
        file = image_file(1, *size)
        prepared = network.prepare(file)
        assert prepared.dtype == np.uint8  # a quarter of what floats would take to the device
        found = network.scaled(prepared[None])[0]
        expected = transform(Image.open(io.BytesIO(file)))
        assert torch.abs(found - expected).max() < 1e-6


def test_a_folder_with_safetensors_gives_the_same(folder: Path, tmp_path: Path) -> None:
    newer = Checkpoint(VIT, save_timm(tmp_path / "new"), "cpu", "float32")
    found = TimmImages(newer).encode(IMAGE_FILES)
    assert np.abs(found - encoder(folder, VIT).encode(IMAGE_FILES)).max() < 1e-5
    (tmp_path / "new" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin \(or model\.safetensors\)"):
        newer.check()


@pytest.mark.parametrize("name", [VIT, SIGLIP])
def test_bfloat16_gives_nearly_the_same_vectors(folder: Path, name: str) -> None:
    whole = encoder(folder, name).encode(IMAGE_FILES)
    half = encoder(folder, name, "bfloat16").encode(IMAGE_FILES)
    lengths = np.linalg.norm(whole, axis=1) * np.linalg.norm(half, axis=1)
    assert ((whole * half).sum(1) / lengths).min() > 0.999


@pytest.mark.parametrize("name", [VIT, SIGLIP])
def test_what_an_image_is_batched_with_changes_nothing_and_the_order_is_kept(
    folder: Path, name: str
) -> None:
    net = encoder(folder, name)
    images = [image_file(seed, 60 + 17 * seed, 80) for seed in range(7)]
    alone = np.concatenate([net.encode([image]) for image in images])
    scale = np.abs(alone).max()
    assert np.abs(net.encode(images) - alone).max() < 1e-5 * scale
    assert np.abs(net.encode(images[::-1])[::-1] - alone).max() < 1e-5 * scale


@pytest.mark.parametrize("name", [VIT, SIGLIP])
def test_strange_images_are_encoded(folder: Path, name: str) -> None:
    made = [
        Image.new("RGB", (1, 1)),
        Image.new("L", (1, 20_000)),
        Image.new("RGBA", (40, 30), (255, 0, 0, 0)),
        Image.new("P", (50, 50)),
        Image.fromarray(np.full((30, 30), 40_000, np.uint16)),
    ]
    files = []
    for image in made:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        files.append(buffer.getvalue())
    assert np.isfinite(encoder(folder, name).encode(files)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "MPO", "AVIF"])
def test_images_of_every_kind_are_encoded_alike(folder: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    ramp = np.linspace(0, 255, 90, dtype=np.uint8)
    pixels = np.stack([np.broadcast_to(ramp, (70, 90))] * 3, axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    plain = io.BytesIO()
    Image.fromarray(pixels).save(plain, "PNG")
    net = encoder(folder, VIT)
    found, expected = net.encode([file.getvalue(), plain.getvalue()])
    assert (found * expected).sum() > 0.99 * np.linalg.norm(found) * np.linalg.norm(expected)


def test_a_turned_photograph_is_seen_upright(folder: Path) -> None:
    upright = Image.open(io.BytesIO(IMAGE_FILES[0]))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(turned, "PNG", exif=exif)
    net = encoder(folder, VIT)
    assert np.abs(net.encode([turned.getvalue()]) - net.encode(IMAGE_FILES[:1])).max() < 1e-4


@pytest.mark.parametrize("name", [VIT, SIGLIP])
def test_unreadable_images_are_named_and_the_others_are_done(folder: Path, name: str) -> None:
    net = encoder(folder, name)
    with pytest.raises(UnreadableImagesError) as caught:
        net.encode([b"", IMAGE_FILES[0], b"no image", IMAGE_FILES[1]])
    assert sorted(caught.value.errors) == [0, 2]
    readable = net.encode(IMAGE_FILES[:2])
    assert np.abs(caught.value.done - readable).max() < 1e-5 * np.abs(readable).max()
    with pytest.raises(UnreadableImagesError) as caught:
        net.encode([b"none of them"])
    assert len(caught.value.done) == 0


@pytest.mark.slow
def test_out_of_memory_halves_the_batch_says_so_and_gives_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    net = encoder(folder, VIT)
    images = [image_file(seed, 60, 80) for seed in range(9)]
    expected = net.encode(images)
    network = net._network()._network
    forward = network.vectors

    def small(pixels: np.ndarray) -> torch.Tensor:
        if len(pixels) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(pixels)

    monkeypatch.setattr(network, "vectors", small)
    monkeypatch.setattr(net._network().batches, "size", 4)
    with caplog.at_level(logging.WARNING):
        found = net.encode(images)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert net._network().batches.size == 1
    assert "ran out of memory with 4 items" in caplog.text


@pytest.mark.parametrize("name", [VIT, SIGLIP])
def test_nothing_gives_no_rows(folder: Path, name: str) -> None:
    assert encoder(folder, name).encode([]).shape == (0, WIDTH)


@pytest.mark.parametrize("name", [VIT, SIGLIP])
def test_weights_that_are_missing_say_how_to_get_them(tmp_path: Path, name: str) -> None:
    model = Checkpoint(name, tmp_path, "cpu", "float32")
    for use in (CLASSES[name](model).check, lambda: CLASSES[name](model).encode(IMAGE_FILES)):
        with pytest.raises(WeightsError, match=f"mmrl weights fetch {name}") as caught:
            use()
        assert model.model.size in str(caught.value)
        assert f'[weights] "{name}" = "/path"' in str(caught.value)


@pytest.mark.parametrize("change", ["lacks", "has another"])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        (VIT, "blocks.1.mlp.fc1.weight"),
        (SIGLIP, "vision_model.encoder.layers.1.mlp.fc1.weight"),
    ],
)
def test_a_checkpoint_with_other_weights_is_refused(
    tmp_path: Path, name: str, key: str, change: str
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    copy = {VIT: save_timm, SIGLIP: save_siglip}[name](tmp_path / "copy")
    state = load_file(copy / "model.safetensors")
    other = key.replace(".1.", ".7.")
    if change == "lacks":
        del state[key]
    else:
        state[other] = torch.zeros(1)
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    named = (key if change == "lacks" else other).removeprefix("vision_model.")
    with pytest.raises(WeightsError, match=re.escape(named)):
        CLASSES[name](Checkpoint(name, copy, "cpu", "float32")).encode(IMAGE_FILES)


@pytest.mark.parametrize("name", [VIT, SIGLIP])
def test_broken_weights_are_a_clear_error(tmp_path: Path, name: str) -> None:
    copy = {VIT: save_timm, SIGLIP: save_siglip}[name](tmp_path / "copy")
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="mmrl weights fetch"):
        CLASSES[name](Checkpoint(name, copy, "cpu", "float32")).encode(IMAGE_FILES)


def test_ids_are_known_without_a_model_library() -> None:
    code = (
        "import sys; from mmrl.encoders.image import TimmImages; "
        "from mmrl.encoders.image import SiglipImages; "
        "from mmrl.encoders.hub.checkpoint import Checkpoint; "
        f"print(TimmImages(Checkpoint('{VIT}')).id, SiglipImages(Checkpoint('{SIGLIP}')).id); "
        "print(sorted({'torch', 'transformers', 'timm', 'torchvision'} & set(sys.modules)))"
    )
    assert printed(code).splitlines() == [
        "vit-large-patch16-384@e7fd2e9f8bba+upright,prelogits "
        "siglip2-so400m-patch14-384@e8e487298228+upright,pooled,l2",
        "[]",
    ]
