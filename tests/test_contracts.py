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


def test_names_say_what_they_hold_and_not_that_it_was_found_or_said() -> None:
    vague = {"found", "given", "said", "wanted"}
    stored = {  # homes hold them by these names
        ("src/mmrl/learning/evaluation/record.py", "said"),  # of a model's evaluation
        ("src/mmrl/sources/files/source.py", "found"),  # of an unfinished import's mark
    }
    bound = {
        (str(file.relative_to(ROOT)), name)
        for file in sorted((ROOT / "src/mmrl").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in _bound(node)
        if name in vague
    }
    assert bound == stored


def _bound(node: ast.AST) -> list[str | None]:
    """The names that a node binds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.ClassDef(name=name) | ast.ExceptHandler(name=name):
            return [name]
        case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
            return [name]
        case ast.arg(arg=name):
            return [name]
        case ast.alias(name=name, asname=None):
            return [name]
        case ast.alias(asname=name):
            return [name]
    return []


def test_functions_and_files_are_short() -> None:
    """Signatures and docstrings apart, whose length is that of what there is to say."""
    long = []
    for file in sorted((ROOT / "src/mmrl").rglob("*.py")):
        text, name = file.read_text("utf-8"), str(file.relative_to(ROOT))
        if len(text.splitlines()) > 400:
            long.append(name)
        long += [
            f"{name}: {node.name}"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > 55
        ]
    assert long == []


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body behind its docstring."""
    first, last = function.body[0], function.body[-1]
    begin = first.lineno - 1 if ast.get_docstring(function) is None else first.end_lineno
    return (last.end_lineno or 0) - (begin or 0)
