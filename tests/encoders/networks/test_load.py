"""torchvision beside a torch that was built for another device."""

import subprocess
import sys
from pathlib import Path

import pytest

_RUN = "from mmrl.encoders.vision_library import ensure_torchvision, _declared; "


def run(code: str, *first: Path) -> subprocess.CompletedProcess[str]:
    paths = "".join(f"sys.path.insert(0, {str(path)!r}); " for path in first)
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {paths}{_RUN}{code}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


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
    assert (out.stdout, out.returncode) == ("imported\n", 0), out.stderr


def test_nothing_is_declared_where_torchvision_imports_by_itself(tmp_path: Path) -> None:
    out = run("ensure_torchvision(); print(_declared)", stand_in(tmp_path, ""))
    assert out.stdout == "[]\n", out.stderr


def test_its_operators_are_declared_where_only_they_are_missing(tmp_path: Path) -> None:
    # As torchvision does at import: gives a shape function to an operator it has not loaded.
    code = (
        "import torch\n"
        "@torch.library.register_fake('torchvision::nms')\n"
        "def nms(dets, scores, iou): ...\n"
    )
    out = run("ensure_torchvision(); print(len(_declared))", stand_in(tmp_path, code))
    assert out.stdout == "1\n", out.stderr


@pytest.mark.parametrize("error", ["RuntimeError('no such driver')", "ImportError('libc.so.7')"])
def test_another_failure_is_a_clear_error(tmp_path: Path, error: str) -> None:
    out = run("ensure_torchvision()", stand_in(tmp_path, f"raise {error}"))
    assert out.returncode == 1
    assert "Failure: torchvision is installed but can't be imported" in out.stderr
    assert "Install the torchvision that belongs to the installed torch." in out.stderr
