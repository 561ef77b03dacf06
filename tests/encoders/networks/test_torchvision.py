"""torchvision beside a torch that was built for another device."""

from pathlib import Path

import pytest

from tests.support.command import Answer, python

pytestmark = pytest.mark.slow

_RUN = "from mmrl.encoders.networks.torchvision import ensure_torchvision, _declared; "


def run(code: str, *first: Path) -> Answer:
    paths = "".join(f"sys.path.insert(0, {str(path)!r}); " for path in first)
    return python(f"import sys; {paths}{_RUN}{code}")


def stand_in(folder: Path, code: str) -> Path:
    """A torchvision that does what a test needs when it is imported."""
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(code, "utf-8")
    return folder


def test_timm_and_transformers_can_be_imported_after_it() -> None:
    out = run(
        "ensure_torchvision(); import timm.data; "
        "from transformers import Qwen3VLModel, PreTrainedModel; print('imported')"
    )
    assert (out.out, out.code) == ("imported\n", 0), out.err


def test_nothing_is_declared_where_torchvision_imports_by_itself(tmp_path: Path) -> None:
    out = run("ensure_torchvision(); print(_declared)", stand_in(tmp_path, ""))
    assert out.out == "[]\n", out.err


def test_its_operators_are_declared_where_only_they_are_missing(tmp_path: Path) -> None:
    # As torchvision does at import: gives a shape function to an operator it has not loaded.
    code = (
        "import torch\n"
        "@torch.library.register_fake('torchvision::nms')\n"
        "def nms(dets, scores, iou): ...\n"
    )
    out = run("ensure_torchvision(); print(len(_declared))", stand_in(tmp_path, code))
    assert out.out == "1\n", out.err


@pytest.mark.parametrize("error", ["RuntimeError('no such driver')", "ImportError('libc.so.7')"])
def test_another_failure_is_a_clear_error(tmp_path: Path, error: str) -> None:
    out = run("ensure_torchvision()", stand_in(tmp_path, f"raise {error}"))
    assert out.code == 1
    assert "Failure: torchvision is installed but can't be imported" in out.err
    assert "Install the torchvision that belongs to the installed torch." in out.err
