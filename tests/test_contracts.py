"""The project's rules about itself that no linter keeps."""

import ast

from tests.support.paths import ROOT

_QUESTIONS = ("What", "How", "Who", "Whether", "Which", "Where", "Why", "When")


def test_no_test_has_a_deadline_of_its_own() -> None:
    """The one Hypothesis profile says that no test hangs on the machine's speed."""
    named = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "tests").rglob("*.py"))
        if "deadline" + "=" in file.read_text("utf-8")
    ]
    assert named == ["tests/conftest.py"]


def test_a_module_s_first_line_names_the_thing() -> None:
    """A reader of a listing learns a noun, not half a question."""
    asking = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "src/mmrl").rglob("*.py"))
        if (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").startswith(_QUESTIONS)
    ]
    assert asking == []
