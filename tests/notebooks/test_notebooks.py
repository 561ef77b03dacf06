"""The notebooks run from their first cell to their last, and are kept without outputs."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name: str) -> Any:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def execute(name: str, folder: Path) -> Any:
    """The notebook with its outputs, run in a folder."""
    from nbclient import NotebookClient

    notebook = read(name)
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def html(notebook: Any) -> str:
    """All the HTML that it shows."""
    shown = [
        output["data"].get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    return "\n".join("".join(text) for text in shown)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_without_outputs(name: str) -> None:
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_from_a_csv_to_a_leaderboard_and_on_to_a_choice_of_drafts(tmp_path: Path) -> None:
    first = html(execute("csv_to_leaderboard", tmp_path))
    assert "<progress" in first  # bars of a notebook's own
    assert "260" in first
    assert "Subreddit&#x27;s median" in first
    assert (tmp_path / "earth" / "mlflow.db").is_file()
    second = html(execute("choosing_between_drafts", tmp_path))
    assert "My cat at 9 o" in second
    assert "likeness" in second


@pytest.mark.slow
@pytest.mark.shared_data
def test_what_a_picture_is_worth_on_the_palettes(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "MMRL_SHARED_DATA", str(shared_data))
    monkeypatch.setitem(os.environ, "MMRL_NOTEBOOK_POSTS", "160")
    assert "no_picture" in html(execute("what_a_picture_is_worth", tmp_path))
