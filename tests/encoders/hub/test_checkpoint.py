"""A model's revision is told by where its files came from, and missing files by what to do."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmrl.encoders.hub import checkpoint as module
from mmrl.encoders.hub.checkpoint import Checkpoint, checkpoint
from mmrl.encoders.hub.models import gigabytes, hub_model, hub_models
from mmrl.errors import ConfigError, WeightsError
from tests.support.command import HANGS, printed
from tests.support.hub_process import hub_process
from tests.support.paths import ROOT

BGE = "BAAI/bge-m3"
VIT = "timm/vit_large_patch16_384.augreg_in21k_ft_in1k"
PINNED = hub_model(BGE).revision
OTHER = "0123456789" * 4


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub-cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


def fill(folder: Path, name: str = BGE, seed: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in hub_model(name).files:
        (folder / file).write_text(f"{name} {file} {seed}")
    return folder


def revision(folder: Path, name: str = BGE) -> str:
    """As a process says it that has not asked before."""
    module._revision.cache_clear()
    return Checkpoint(name, folder).revision


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_pinned_model_of_the_hub_is_known_before_it_is_fetched(cache: Path) -> None:
    assert Checkpoint(BGE).revision == PINNED[:12]
    assert not cache.exists()


def test_files_in_the_cache_are_found_at_the_pinned_commit_alone(cache: Path) -> None:
    repository = cache / "models--BAAI--bge-m3"
    fill(repository / "snapshots" / OTHER)
    with pytest.raises(WeightsError, match="not in the hub's cache"):
        Checkpoint(BGE).check()
    there = fill(repository / "snapshots" / PINNED)
    assert Checkpoint(BGE).folder() == there
    assert Checkpoint(BGE).weights() == there / "pytorch_model.bin"


def test_the_cache_is_where_the_environment_says(tmp_path: Path) -> None:
    code = "from mmrl.encoders.hub.cache import cache_folder; print(cache_folder())"
    for given, expected in (
        ({"HF_HUB_CACHE": str(tmp_path / "a")}, tmp_path / "a"),
        ({"HF_HOME": str(tmp_path / "b")}, tmp_path / "b" / "hub"),
    ):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE"))}
        said = subprocess.run(
            [sys.executable, "-c", code],
            env={**clean, **given},
            capture_output=True,
            text=True,
            check=True,
            timeout=HANGS,
        )
        assert said.stdout.strip() == str(expected)


def test_ids_need_no_heavy_import() -> None:
    code = (
        "import sys\n"
        "from mmrl.encoders.hub.checkpoint import Checkpoint\n"
        f"Checkpoint({BGE!r}).revision\n"
        "heavy = {'torch', 'transformers', 'timm', 'httpx2', 'httpx', 'tqdm'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    assert printed(code).strip() == "[]"


def test_missing_files_are_named_with_size_licence_command_and_setting(
    cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError) as said:
        Checkpoint(BGE).check()
    for words in (BGE, "2.3 GB", "MIT", f"mmrl weights fetch {BGE}", f'[weights] "{BGE}" = '):
        assert words in str(said.value)
    folder = fill(tmp_path / "mine")
    (folder / "tokenizer.json").unlink()
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("nowhere")
    with pytest.raises(WeightsError, match=r"mine lacks config\.json, tokenizer\.json"):
        Checkpoint(BGE, folder).folder()
    with pytest.raises(WeightsError, match="lacks"):
        _ = revision(folder)


def test_a_pointer_of_git_lfs_is_not_taken_for_weights(tmp_path: Path) -> None:
    folder = fill(tmp_path / "cloned")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    (folder / "pytorch_model.bin").write_text(pointer)
    with pytest.raises(WeightsError, match="git lfs pull"):
        Checkpoint(BGE, folder).check()


def test_any_folder_is_told_by_its_weights_whose_hash_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "mine")
    first = revision(folder)
    assert first == sha256(folder / "pytorch_model.bin")[:12]
    kept = json.loads((folder / ".pytorch_model.bin.mmrl-sha256.json").read_text())
    assert kept["sha256"].startswith(first)

    def never(*_: object) -> None:
        raise AssertionError("hashed again")

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", never)
        assert revision(folder) == first
    fill(folder, seed="changed")
    changed = revision(folder)
    assert changed != first
    assert changed == sha256(folder / "pytorch_model.bin")[:12]
    (folder / ".pytorch_model.bin.mmrl-sha256.json").write_text("[]")
    assert revision(folder) == changed


def test_a_folder_that_cannot_be_written_is_hashed_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "mine")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)  # a read-only folder stops everyone but root
    assert revision(folder) == sha256(folder / "pytorch_model.bin")[:12]
    assert revision(folder) == sha256(folder / "pytorch_model.bin")[:12]
    assert not list(folder.glob(".*"))


def test_a_folder_with_the_pinned_weights_is_the_pinned_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    folder = fill(tmp_path / "mine")
    known = dataclasses.replace(hub_model(BGE), sha256=sha256(folder / "pytorch_model.bin"))
    monkeypatch.setattr(module, "hub_model", lambda name: known)
    assert revision(folder) == PINNED[:12]


def test_a_snapshot_of_a_cache_says_its_commit_by_its_name(tmp_path: Path) -> None:
    folder = fill(tmp_path / "models--BAAI--bge-m3" / "snapshots" / OTHER)
    assert revision(folder) == OTHER[:12]
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert revision(link) == OTHER[:12]
    elsewhere = fill(tmp_path / OTHER)
    assert revision(elsewhere) != OTHER[:12]


def test_a_folder_that_huggingface_hub_downloaded_says_its_commit(tmp_path: Path) -> None:
    folder = tmp_path / "downloaded"
    code = f"""
from huggingface_hub import snapshot_download
snapshot_download({BGE!r}, revision={PINNED!r}, local_dir={str(folder)!r})
"""
    with hub_process() as hub:
        subprocess.run(
            [sys.executable, "-c", code],
            env=hub.environment(tmp_path),
            check=True,
            capture_output=True,
            timeout=HANGS,
        )
    assert (folder / ".cache" / "huggingface" / "download").is_dir()
    assert revision(folder) == PINNED[:12]
    assert not (folder / ".pytorch_model.bin.mmrl-sha256.json").exists()
    # Copied without its times: the noted hash still tells it.
    copy = tmp_path / "copied"
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)
    later = (copy / "pytorch_model.bin").stat().st_mtime + 60
    os.utime(copy / "pytorch_model.bin", (later, later))
    assert revision(copy) == PINNED[:12]
    # Changed: it is something else.
    (copy / "pytorch_model.bin").write_bytes(b"fine-tuned")
    os.utime(copy / "pytorch_model.bin", (later, later))
    assert revision(copy) == sha256(copy / "pytorch_model.bin")[:12]


@pytest.mark.parametrize("note", ["", "main\nabc\n1\n", "\ufffd", f"{OTHER}\n", f"{OTHER}\na\nb\n"])
def test_a_note_that_is_no_note_is_not_believed(tmp_path: Path, note: str) -> None:
    folder = fill(tmp_path / "mine")
    notes = folder / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    (notes / "pytorch_model.bin.metadata").write_text(note, "utf-8")
    assert revision(folder) == sha256(folder / "pytorch_model.bin")[:12]


def test_the_setting_must_name_a_folder_and_a_known_model(tmp_path: Path) -> None:
    found = checkpoint(BGE, {BGE: str(tmp_path)}, "cpu", "float32")
    assert (found.local, found.device, found.dtype) == (tmp_path, "cpu", "float32")
    assert checkpoint(BGE, {VIT: "/nowhere"}, "auto", "auto").local is None
    with pytest.raises(ConfigError, match=r"nowhere.*is no folder.*config\.json"):
        checkpoint(BGE, {BGE: str(tmp_path / "nowhere")}, "auto", "auto")
    with pytest.raises(ConfigError, match=r"no/model.*BAAI/bge-m3"):
        checkpoint("no/model", {}, "auto", "auto")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (2_288_245_069, "2.3 GB"),
        (91_000_000, "91 MB"),
        (1_600_000, "1.6 MB"),
        (300, "300 bytes"),
        (0, "0 bytes"),
    ],
)
def test_sizes_are_said_for_people(size: int, said: str) -> None:
    assert gigabytes(size) == said


def test_the_documentation_names_every_model_with_its_size_licence_and_commit() -> None:
    text = (ROOT / "docs" / "weights.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for model in hub_models().values():
        row = next((line for line in rows if line.startswith(f"| {model.name} |")), "")
        for words in (model.size, model.licence, model.revision[:12]):
            assert f"| {words} |" in row, model.name
