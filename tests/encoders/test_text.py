"""bge-m3 and Qwen3-Embedding on small random weights in their published layouts."""

import json
import logging
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.encoders import text as hub_text
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.text import BgeM3, HubText, QwenText
from mmrl.errors import WeightsError
from tests.support.command import printed
from tests.support.paths import FIXTURES
from tests.support.tiny_text_models import TEXTS, WIDTH, save_bge_m3, save_qwen_text

PUBLISHED = json.loads((FIXTURES / "bge_m3.json").read_text())
BGE, QWEN = "BAAI/bge-m3", "Qwen/Qwen3-Embedding-0.6B"
CLASSES: dict[str, type[HubText]] = {BGE: BgeM3, QWEN: QwenText}


@pytest.fixture(scope="module")
def folder(model_folder: Path) -> Path:
    save_bge_m3(model_folder / BGE)
    save_qwen_text(model_folder / QWEN)
    return model_folder


def encoder(folder: Path, name: str, dtype: str = "float32") -> HubText:
    return CLASSES[name](Checkpoint(name, folder / name, "cpu", dtype))


def test_bge_m3_gives_the_dense_vectors_of_flagembedding(folder: Path) -> None:
    ours = encoder(folder, BGE)
    found = ours.encode(TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (len(TEXTS), WIDTH) == (len(TEXTS), ours.dim)
    assert np.abs(found - np.array(PUBLISHED["vectors"])).max() < 1e-5


def test_qwen_gives_the_vectors_of_sentence_transformers(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(folder / QWEN), device="cpu", local_files_only=True)
    texts = [*TEXTS[:5], TEXTS[6]]
    expected = theirs.encode(texts, normalize_embeddings=True)
    assert np.abs(encoder(folder, QWEN).encode(texts) - expected).max() < 1e-5


@pytest.mark.parametrize("name", [BGE, QWEN])
def test_bfloat16_gives_nearly_the_same_vectors(folder: Path, name: str) -> None:
    whole = encoder(folder, name).encode(TEXTS[:5])
    half = encoder(folder, name, "bfloat16").encode(TEXTS[:5])
    assert half.dtype == np.float32
    assert (whole * half).sum(1).min() > 0.999


@pytest.mark.parametrize("name", [BGE, QWEN])
def test_what_a_text_is_batched_with_changes_nothing_and_the_order_is_kept(
    folder: Path, name: str
) -> None:
    net = encoder(folder, name)
    texts = [*TEXTS[:5], "a", "cat " * 300, "the dog", "photo of a cat", "\ud800 lone surrogate"]
    alone = np.concatenate([net.encode([text]) for text in texts])
    assert np.abs(net.encode(texts) - alone).max() < 1e-5
    assert np.abs(net.encode(texts[::-1])[::-1] - alone).max() < 1e-5
    assert np.abs(np.linalg.norm(alone, axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("name", [BGE, QWEN])
def test_a_call_of_many_blocks_gives_the_same_in_the_same_order_and_counts_all_that_was_cut(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = encoder(folder, name)
    texts = [*TEXTS[:5], "dog " * 9_000, *(f"photo {n} of a cat" for n in range(40))]
    together = net.encode(texts)
    assert net.truncated == 1
    monkeypatch.setattr(hub_text, "_BLOCK", 0.1)  # characters a token
    assert len(list(net._network().tokenized(texts))) > 5
    assert np.abs(net.encode(texts) - together).max() < 1e-5
    assert net.truncated == 2


def test_the_next_block_is_tokenized_while_the_device_is_busy_with_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = encoder(folder, BGE)
    inner = net._network()
    monkeypatch.setattr(hub_text, "_BLOCK", 0.1)
    tokenize, forward = inner.tokenize, inner._network.vectors
    done, second, waited = [], threading.Event(), []

    def tell(texts: list[str]) -> object:
        result = tokenize(texts)
        done.append(len(texts))
        if len(done) == 2:
            second.set()
        return result

    def slow(ids: np.ndarray, lengths: np.ndarray) -> object:
        waited.append(second.wait(30))
        return forward(ids, lengths)

    monkeypatch.setattr(inner, "tokenize", tell)
    monkeypatch.setattr(inner._network, "vectors", slow)
    net.encode([f"photo {n} of a cat" for n in range(40)])
    assert all(waited)
    assert len(done) > 2


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 60))
def test_blocks_hold_every_text_once_the_shortest_first_and_no_more_than_asked(
    characters: list[int], most: int
) -> None:
    blocks = hub_text._blocks(characters, most)
    places = [place for block in blocks for place in block]
    assert sorted(places) == list(range(len(characters)))
    assert [characters[place] for place in places] == sorted(characters)
    assert all(
        len(block) == 1 or sum(max(1, characters[i]) for i in block) <= most for block in blocks
    )


def test_qwen_asks_the_device_for_nothing_before_the_vectors(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.qwen3 import modeling_qwen3

    def asks(**_: object) -> None:
        pytest.fail("let transformers look at the positions on the device")

    monkeypatch.setattr(modeling_qwen3, "create_causal_mask", asks)
    assert np.isfinite(encoder(folder, QWEN).encode(["a cat", "dog"])).all()


@pytest.mark.parametrize("name", [BGE, QWEN])
def test_a_text_of_more_than_8192_tokens_is_cut_and_counted(folder: Path, name: str) -> None:
    net = encoder(folder, name)
    net.encode(["a cat", "dog"])
    assert net.truncated == 0
    found = net.encode(["a cat", "dog " * 9_000])
    assert net.truncated == 1
    # What is beyond the limit makes no difference.
    assert np.abs(found[1] - net.encode(["dog " * 9_500])[0]).max() < 1e-5


@pytest.mark.parametrize("name", [BGE, QWEN])
def test_nothing_gives_no_rows(folder: Path, name: str) -> None:
    assert encoder(folder, name).encode([]).shape == (0, WIDTH)


@pytest.mark.slow
def test_out_of_memory_halves_the_batch_says_so_and_gives_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    net = encoder(folder, BGE)
    texts = ["a cat", "dog", "photo of a cat", "the dog", "my first painting"]
    expected = net.encode(texts)
    network = net._network()._network
    forward = network.vectors

    def small(ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        if len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(ids, lengths)

    monkeypatch.setattr(network, "vectors", small)
    monkeypatch.setattr(net._network().batches, "size", 1_024)
    with caplog.at_level(logging.WARNING):
        found = net.encode(texts)
    assert np.abs(found - expected).max() < 1e-6
    assert "bge-m3 ran out of memory with 5 items" in caplog.text


@pytest.mark.parametrize("name", [BGE, QWEN])
def test_weights_that_are_missing_say_how_to_get_them(tmp_path: Path, name: str) -> None:
    missing = CLASSES[name](Checkpoint(name, tmp_path, "cpu", "float32"))
    size = {BGE: "2.3 GB", QWEN: "1.2 GB"}[name]
    with pytest.raises(WeightsError) as checked:
        missing.check()
    with pytest.raises(WeightsError) as encoded:
        missing.encode(["a"])
    for error in (checked.value, encoded.value):
        for part in (size, f"mmrl weights fetch {name}", f'[weights] "{name}" = '):
            assert part in str(error)


@pytest.mark.parametrize("name", [BGE, QWEN])
def test_a_checkpoint_that_lacks_weights_is_refused(
    folder: Path, tmp_path: Path, name: str
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder / name, tmp_path / "copy")
    if name == BGE:
        file = tmp_path / "copy" / "pytorch_model.bin"
        state = torch.load(file, weights_only=True)
        del state["encoder.layer.1.output.dense.weight"]
        torch.save(state, file)
    else:
        file = tmp_path / "copy" / "model.safetensors"
        state = load_file(file)
        del state["layers.1.mlp.up_proj.weight"]
        save_file(state, file, {"format": "pt"})
    broken = CLASSES[name](Checkpoint(name, tmp_path / "copy", "cpu", "float32"))
    with pytest.raises(WeightsError, match=r"1 missing, 0 unexpected \(.*layer"):
        broken.encode(["a"])


def test_weights_of_other_shapes_or_names_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    import torch

    shutil.copytree(folder / BGE, tmp_path / "copy")
    file = tmp_path / "copy" / "pytorch_model.bin"
    state = torch.load(file, weights_only=True)
    state["encoder.layer.1.output.dense.bias"] = torch.zeros(2)
    state["encoder.layer.9.extra"] = torch.zeros(2)
    torch.save(state, file)
    with pytest.raises(WeightsError) as caught:
        BgeM3(Checkpoint(BGE, tmp_path / "copy", "cpu", "float32")).encode(["a"])
    assert "0 missing, 1 unexpected, 1 of another shape" in str(caught.value)
    assert "encoder.layer.9.extra, encoder.layer.1.output.dense.bias" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (BGE, "pytorch_model.bin"),
        (BGE, "tokenizer.json"),
        (BGE, "config.json"),
        (QWEN, "model.safetensors"),
    ],
)
def test_a_file_that_was_cut_off_says_how_to_get_it_anew(
    folder: Path, tmp_path: Path, name: str, file: str
) -> None:
    shutil.copytree(folder / name, tmp_path / "copy")
    whole = (tmp_path / "copy" / file).read_bytes()
    (tmp_path / "copy" / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=f"mmrl weights fetch {name}"):
        CLASSES[name](Checkpoint(name, tmp_path / "copy", "cpu", "float32")).encode(["a"])


class Evil:
    """Makes a folder where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_code_in_a_weights_file_is_never_run(folder: Path, tmp_path: Path) -> None:
    import torch

    shutil.copytree(folder / BGE, tmp_path / "copy")
    trace = tmp_path / "was run"
    torch.save({"x": Evil(trace)}, tmp_path / "copy" / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="more than weights, which mmrl never runs"):
        BgeM3(Checkpoint(BGE, tmp_path / "copy", "cpu", "float32")).encode(["a"])
    assert not trace.exists()


def test_ids_are_known_without_a_model_library() -> None:
    code = (
        "import sys; from mmrl.encoders.text import BgeM3; "
        "from mmrl.encoders.text import QwenText; "
        "from mmrl.encoders.hub.checkpoint import Checkpoint; "
        f"print(BgeM3(Checkpoint('{BGE}')).id, QwenText(Checkpoint('{QWEN}')).id); "
        "print(sorted({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))"
    )
    assert printed(code).splitlines() == [
        f"bge-m3@5617a9f61b02+{hub_text.MAX_TOKENS}tok,cls,l2 "
        f"qwen3-embedding-0.6b@97b0c614be4d+{hub_text.MAX_TOKENS}tok,last,l2",
        "[]",
    ]
