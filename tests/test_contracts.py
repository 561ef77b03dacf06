"""The project's rules about itself that no linter keeps."""

from tests.support.paths import ROOT


def test_no_test_has_a_deadline_of_its_own() -> None:
    """The one Hypothesis profile says that no test hangs on the machine's speed."""
    named = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "tests").rglob("*.py"))
        if "deadline" + "=" in file.read_text("utf-8")
    ]
    assert named == ["tests/conftest.py"]
