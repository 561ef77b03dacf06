"""A home in an object store answers every command as the same home on a disk does."""

import json
import shutil
from pathlib import Path

import pytest

import mmrl
from benchmarks.kill import differences
from benchmarks.s3_server import copy_home
from mmrl.catalog import Catalog
from mmrl.learning.registry.registry import Registry
from mmrl.storage.opening import storage_of
from tests.support.command import Answer, call
from tests.support.image_server import image_file
from tests.support.serving_home import NOW

AS_OF = ("--as-of", NOW.isoformat())


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No purge waits for other processes."""
    monkeypatch.setenv("MMRL_PURGE__SETTLE_SECONDS", "0")


@pytest.fixture
def both(serving_home: Path, bucket: str, tmp_path: Path) -> tuple[Path, str]:
    """The same home on a disk and in an object store."""
    disk = tmp_path / "home"
    shutil.copytree(serving_home, disk)
    copy_home(disk, bucket)
    return disk, bucket


def test_commands_tell_the_same_of_a_home_copied_into_an_object_store(
    both: tuple[Path, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    image = tmp_path / "image.png"
    image.write_bytes(image_file(99))

    def said(*words: object) -> list[str]:
        answers = [call(capsys, *words, "--home", home) for home in both]
        assert [answer.code for answer in answers] == [0, 0], answers
        plain = [
            answer.out.replace(str(home), "HOME")
            for answer, home in zip(answers, both, strict=True)
        ]
        assert plain[0] == plain[1]
        return plain

    # The list of models is MLflow's on a disk; it is made again from the files.
    assert "made again" in call(capsys, "repair", "--home", both[1]).out
    said("status", *AS_OF)
    said("models", "list", "--json")
    said("models", "show", "1")
    said("metrics", *AS_OF)
    draft = (image, "--title", "A lake", "--subreddit", "pics", *AS_OF, "--json")
    (found, _) = said("predict", *draft)
    assert json.loads(found)
    said("scores", *AS_OF)
    said("report", "1", *AS_OF)
    reports = [storage_of(home).read("reports/1.html") for home in both]
    assert reports[0]
    assert reports[0] == reports[1]
    doctor: Answer = call(capsys, "doctor", "--home", both[1], "--json")
    findings = {one["what"]: one for one in json.loads(doctor.out)}
    assert findings["soundness"]["state"] == findings["home"]["state"] == "ok"
    said("purge", "--author", "Author3", "--json")
    assert differences(*(Catalog.open(home) for home in both)) == []
    assert Registry(both[0]).test_predictions().equals(Registry(both[1]).test_predictions())


def test_a_home_is_made_with_its_settings_and_without_a_place_for_credentials(
    bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no mmrl home at" in call(capsys, "status", "--home", bucket).err
    assert call(capsys, "init", bucket).code == 0
    assert storage_of(bucket).exists("mmrl.toml")
    assert not storage_of(bucket).exists("praw.ini")
    assert "nothing was changed" in call(capsys, "init", bucket).out
    storage_of(bucket).write("mmrl.toml", b"[train]\nseed = 7\n")
    assert mmrl.open(bucket, quiet=True).settings.train.seed == 7
    storage_of(bucket).write("mmrl.toml", b"[train]\nsead = 7\n")
    said = call(capsys, "status", "--home", bucket)
    assert f"{bucket}/mmrl.toml" in said.err
    assert "did you mean train.seed" in said.err


def test_refused_rows_of_an_import_lie_in_the_store_until_a_purge(
    bucket: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = ["id,title,subreddit,created_utc,score,author", "ok,A lake,pics,1750000000,5,me"]
    lines += [f"no{n},A lake,pics,soon,5,me" for n in range(9)]
    (tmp_path / "posts.csv").write_text("\n".join(lines))
    assert call(capsys, "import", "table", tmp_path / "posts.csv", "--home", bucket).code == 0
    (refused,) = [stored.name for stored in storage_of(bucket).walk("refused")]
    assert (storage_of(bucket).read(refused) or b"").count(b"\n") == 10
    said = call(capsys, "purge", "--post", "ok", "--json", "--home", bucket)
    assert json.loads(said.out)["erased"] == {"requested": 1}
    assert list(storage_of(bucket).walk("refused")) == []
