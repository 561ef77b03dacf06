"""Weights are fetched as pinned, resumed and checked, and every failure says what to do.

The hub is a stand-in on loopback (tests/support/hub_process.py); the client is the real
huggingface_hub.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mmrl.encoders.hub.download import Plan, RemoteFile, require_space
from mmrl.encoders.hub.models import hub_model
from mmrl.encoders.profiles import profile_models
from mmrl.encoders.weights import hub_profiles
from mmrl.errors import WeightsError
from tests.support.command import ending, is_one_sentence
from tests.support.hub_process import Hub, hub_process
from tests.support.waiting import eventually

BGE = "BAAI/bge-m3"
VIT = "timm/vit_large_patch16_384.augreg_in21k_ft_in1k"
SECRET = "hf_neverToBeSeen"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_process() as running:
        yield running


def snapshot(folder: Path, name: str, commit: str) -> Path:
    cache = folder / "hf" / "hub" / f"models--{name.replace('/', '--')}"
    return cache / "snapshots" / commit


def listed(hub: Hub, folder: Path, *more: str) -> dict[str, dict[str, Any]]:
    said = hub.run(folder, "weights", "list", "--profile", "reference", "--json", *more)
    assert said.code == 0, said.err
    return {row["model"]: row for row in json.loads(said.out)}


def test_every_model_of_a_profile_has_facts() -> None:
    assert "reference" in hub_profiles()
    assert "packaged" not in hub_profiles()
    for profile in hub_profiles():
        for models in profile_models(profile).values():
            for name in models:
                model = hub_model(name)
                assert model.weights in model.files
                assert model.size_bytes > 1e9
                assert model.licence
                assert not any("*" in file for file in model.files)


def test_a_profile_is_fetched_at_its_pinned_commits_and_said_before(
    hub: Hub, tmp_path: Path
) -> None:
    said = hub.run(tmp_path, "weights", "fetch", "--profile", "reference")
    assert said.code == 0, said.err
    assert str(tmp_path / "hf" / "hub") in said.out
    assert f"{BGE} at {hub_model(BGE).revision[:12]}: 401 kB; licence MIT" in said.out
    assert f"{VIT} at {hub_model(VIT).revision[:12]}: " in said.out
    assert "1.6 MB to come" in said.out
    assert "are free there" in said.out
    for name in (BGE, VIT, "BAAI/bge-visualized", "microsoft/kosmos-2-patch14-224"):
        repository = hub.repositories[name]
        folder = snapshot(tmp_path, name, repository.commit)
        for file in hub_model(name).files:
            assert (folder / file).read_bytes() == repository.files[file]
    assert "Qwen" not in said.out
    rows = listed(hub, tmp_path)
    assert {row["state"] for row in rows.values()} == {"there"}
    assert rows[BGE]["roles"] == ["title", "caption", "visual"]
    assert rows[VIT]["revision"] == hub_model(VIT).revision
    assert all(row["held_bytes"] == row["size_bytes"] for row in rows.values())


def test_what_is_there_is_left_alone_without_asking_anybody(hub: Hub, tmp_path: Path) -> None:
    assert hub.run(tmp_path, "weights", "fetch", BGE, VIT).code == 0
    hub.asked.clear()
    said = hub.run(tmp_path, "weights", "fetch", BGE, VIT)
    assert said.code == 0
    assert f"{BGE} is there: {snapshot(tmp_path, BGE, hub_model(BGE).revision)}" in said.out
    assert hub.asked == []


def partial_sizes(blobs: Path) -> list[int]:
    """Bytes of each file that is still coming; one that came whole meanwhile is left out."""
    sizes = []
    for part in blobs.glob("*.incomplete"):
        with suppress(FileNotFoundError):
            sizes.append(part.stat().st_size)
    return sizes


def test_a_killed_fetch_goes_on_from_the_byte_where_it_was(hub: Hub, tmp_path: Path) -> None:
    hub.stall_after = 250_000
    process = hub.start(tmp_path, "weights", "fetch", BGE)
    blobs = tmp_path / "hf" / "hub" / "models--BAAI--bge-m3" / "blobs"
    eventually(lambda: 250_000 in partial_sizes(blobs), process)
    process.kill()
    process.communicate()
    row = listed(hub, tmp_path)[BGE]
    small = sum(map(len, hub.repositories[BGE].files.values())) - len(
        hub.repositories[BGE].files["pytorch_model.bin"]
    )
    assert (row["state"], row["held_bytes"]) == ("partly there", 250_000 + small)
    assert row["detail"] == "251 kB of 401 kB"
    hub.stall_after = None
    total = len(hub.repositories[BGE].files["pytorch_model.bin"])
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    assert said.code == 0, said.err
    assert "250 kB of it came before" in said.out
    assert hub.fetched()[-1].range == "bytes=250000-"
    assert hub.sent[-1] == total - 250_000
    assert listed(hub, tmp_path)[BGE]["state"] == "there"
    assert not list(blobs.glob("*.incomplete"))


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after = [120_000, 0, 50_000]
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    assert said.code == 0, said.err
    starts = [None, "bytes=120000-", "bytes=120000-", "bytes=170000-"]
    assert [asked.range for asked in hub.fetched() if asked.method == "GET"] == starts
    assert sum(hub.sent) == len(hub.repositories[BGE].files["pytorch_model.bin"])


def test_a_server_that_knows_no_ranges_sends_all_again(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after, hub.ignores_range = [120_000], True
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    assert said.code == 0, said.err
    assert listed(hub, tmp_path)[BGE]["state"] == "there"


def test_a_connection_that_stays_broken_is_a_failure_and_what_came_is_kept(
    hub: Hub, tmp_path: Path
) -> None:
    hub.cut_after = [120_000] + [0] * 20
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    is_one_sentence(said, 1, "broke off", "kept", "HTTPS_PROXY", "HF_ENDPOINT", "[weights]")
    assert listed(hub, tmp_path)[BGE]["state"] == "partly there"


def test_other_bytes_than_the_hub_tells_are_not_taken(hub: Hub, tmp_path: Path) -> None:
    right = hub.repositories[BGE].files["pytorch_model.bin"]
    for wrong in (bytes([right[0] ^ 1]) + right[1:], right + b"more"):
        hub.sends_other = wrong
        said = hub.run(tmp_path, "weights", "fetch", BGE)
        is_one_sentence(said, 1, "pytorch_model.bin", "not what the hub tells", "deleted")
        folder = snapshot(tmp_path, BGE, hub_model(BGE).revision)
        assert not (folder / "pytorch_model.bin").exists()
    hub.sends_other = None
    assert hub.run(tmp_path, "weights", "fetch", BGE).code == 0
    assert (folder / "pytorch_model.bin").read_bytes() == right


def test_weights_whose_hash_is_not_the_recorded_one_are_refused(hub: Hub, tmp_path: Path) -> None:
    facts = json.dumps({BGE: {"sha256": "ab" * 32}})
    said = hub.run(tmp_path, "weights", "fetch", BGE, TEST_FACTS=facts)
    is_one_sentence(said, 1, BGE, "ab" * 32, "nothing was fetched")
    assert hub.fetched() == []


def test_a_file_that_was_changed_in_the_cache_is_told_of(hub: Hub, tmp_path: Path) -> None:
    assert hub.run(tmp_path, "weights", "fetch", BGE).code == 0
    folder = snapshot(tmp_path, BGE, hub_model(BGE).revision)
    (folder / "config.json").write_text("changed")
    (folder / "tokenizer.json").unlink()
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    is_one_sentence(said, 1, "config.json", "7 bytes", "300", "Delete it")


def test_a_model_behind_terms_needs_a_token_which_is_never_shown_nor_sent_on(
    hub: Hub, tmp_path: Path
) -> None:
    hub.repositories[BGE].gated_for = SECRET
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    is_one_sentence(said, 1, "accept", f"{hub.endpoint}/{BGE}", "HF_TOKEN")
    wrong = hub.run(tmp_path, "weights", "fetch", BGE, HF_TOKEN="hf_another")
    is_one_sentence(wrong, 1, "accept")
    right = hub.run(tmp_path, "weights", "fetch", BGE, HF_TOKEN=SECRET)
    assert right.code == 0, right.err
    assert not any("hf_" in text for text in (wrong.out, wrong.err, right.out))
    assert SECRET not in right.err
    elsewhere = [asked for asked in hub.asked if asked.host.startswith("localhost")]
    assert elsewhere
    assert not any(asked.authorization for asked in elsewhere)


def test_a_token_that_no_header_can_carry_is_not_repeated(hub: Hub, tmp_path: Path) -> None:
    said = hub.run(tmp_path, "weights", "fetch", BGE, HF_TOKEN=f"{SECRET}ü")
    is_one_sentence(said, 1, BGE)
    assert SECRET not in said.out + said.err


def test_a_repository_or_commit_that_is_not_there_is_named(hub: Hub, tmp_path: Path) -> None:
    hub.repositories[BGE].commit = "d" * 40
    commit = hub_model(BGE).revision
    is_one_sentence(hub.run(tmp_path, "weights", "fetch", BGE), 1, BGE, commit)
    name = "BAAI/bge-visualized"
    facts = json.dumps(hub.facts())
    del hub.repositories[name]
    said = hub.run(tmp_path, "weights", "fetch", name, TEST_FACTS=facts)
    is_one_sentence(said, 1, name, "HF_ENDPOINT", "HF_TOKEN")
    del hub.repositories[VIT].files["config.json"]
    is_one_sentence(hub.run(tmp_path, "weights", "fetch", VIT), 1, VIT, "config.json")


def test_no_network_is_one_sentence(hub: Hub, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    said = hub.run(tmp_path, "weights", "fetch", BGE, HF_ENDPOINT=nobody)
    is_one_sentence(said, 1, nobody, BGE, "HTTPS_PROXY", "[weights]")
    offline = hub.run(tmp_path, "weights", "fetch", BGE, HF_HUB_OFFLINE="1")
    is_one_sentence(offline, 1, "HF_HUB_OFFLINE")
    hub.page = b"<html>Sign in to the hotel's network</html>"
    is_one_sentence(hub.run(tmp_path, "weights", "fetch", BGE), 1, "did not answer as the hub")
    hub.page = b'{"id": "x", "siblings": [{"rfilename": "config.json"}]}'
    is_one_sentence(hub.run(tmp_path, "weights", "fetch", BGE), 1, "did not answer as the hub")


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    hub: Hub, tmp_path: Path
) -> None:
    hub.tells_size = 10**18
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    is_one_sentence(said, 1, "1000000000.0 GB", "free", "HF_HUB_CACHE")
    assert hub.fetched() == []
    plan = Plan(hub_model(BGE), "a" * 40, (RemoteFile("w", 100, "b" * 64),), came=40)
    require_space([plan], free=60)
    with pytest.raises(WeightsError, match="60 bytes"):
        require_space([plan], free=59)


def test_a_cache_that_cannot_be_written_is_told(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    said = hub.run(tmp_path, "weights", "fetch", BGE, HF_HUB_CACHE=str(tmp_path / "file"))
    is_one_sentence(said, 1, "file", "HF_HUB_CACHE")


def test_two_fetches_of_a_model_do_not_mix(hub: Hub, tmp_path: Path) -> None:
    hub.stall_after = 100_000
    first = hub.start(tmp_path, "weights", "fetch", BGE)
    eventually(lambda: sum(hub.sent) >= 100_000, first)
    second = hub.run(tmp_path, "weights", "fetch", BGE)
    is_one_sentence(second, 1, "Another process", BGE)
    hub.stall_after = None
    ended = ending(first)
    assert ended.code == 0, ended.err


def test_a_local_folder_is_listed_as_such_and_never_fetched(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    for name, data in hub.repositories[BGE].files.items():
        (folder / name).write_bytes(data)
    home = tmp_path / "mmrl-home"
    home.mkdir()
    (home / "mmrl.toml").write_text(f'[weights]\n"{BGE}" = "{folder}"\n')
    said = hub.run(tmp_path, "weights", "fetch", BGE)
    assert f"{BGE} is taken from {folder}" in said.out
    assert hub.asked == []
    row = listed(hub, tmp_path)[BGE]
    assert (row["kind"], row["state"], row["path"]) == ("local folder", "there", str(folder))
    # The weights are the pinned ones, by their hash.
    assert row["revision"] == hub_model(BGE).revision[:12]
    (folder / "tokenizer.json").unlink()
    row = listed(hub, tmp_path)[BGE]
    assert row["state"] == "partly there"
    assert "lacks tokenizer.json" in row["detail"]


def test_a_captioning_server_spares_the_captioner(hub: Hub, tmp_path: Path) -> None:
    rows = hub.run(
        tmp_path,
        *("weights", "list", "--profile", "reference", "--json"),
        MMRL_CAPTION_SERVER__BASE_URL="http://127.0.0.1:9/v1",
    )
    assert not any("captioner" in row["roles"] for row in json.loads(rows.out))


def test_lists_fit_narrow_terminals_and_name_packages_with_their_hashes(
    hub: Hub, tmp_path: Path
) -> None:
    for columns in ("40", "80"):
        said = hub.run(tmp_path, "weights", "list", COLUMNS=columns)
        assert said.code == 0
        table = said.out.split("\n\n")[0].splitlines()
        assert max(map(len, table)) <= int(columns)
    assert "mmrl weights fetch --profile reference" in said.out
    packaged = hub.run(tmp_path, "weights", "list", "--profile", "packaged", "--json")
    rows = json.loads(packaged.out)
    assert [row["state"] for row in rows] == ["there", "there"]
    assert all(row["kind"] == "package" and row["path"] for row in rows)
    fetched = hub.run(tmp_path, "weights", "fetch")
    assert fetched.code == 0
    assert "takes nothing from the hub" in fetched.out
    assert hub.asked == []


def test_unknown_names_are_mistakes_that_name_the_known(hub: Hub, tmp_path: Path) -> None:
    is_one_sentence(hub.run(tmp_path, "weights", "fetch", "no/model"), 2, "no/model", BGE)
    said = hub.run(tmp_path, "weights", "list", "--profile", "nonesuch")
    is_one_sentence(said, 2, "nonesuch", "reference")
