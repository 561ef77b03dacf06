"""README and docs name files, commands, options, settings and packages that exist, and all of them.

Code in the docs is what stands in fenced blocks and between backticks. NAME stands for any name.
"""

import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from mmrl.catalog.tables import SCHEMAS
from mmrl.cli.app import app
from mmrl.config import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
NOT_OURS = {
    "deploy/airflow/.env",  # written by make_env.py
    "deploy/airflow-api-server",  # kubectl's way to name a deployment
}
TOP_FOLDERS = r"(?:src/mmrl|tests|dags|plugins|deploy|benchmarks|requirements|docs)"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page, of the given languages or of all."""
    found = FENCE.findall(page.read_text())
    return [text for language, text in found if not languages or language in languages]


def inline(page: Path) -> list[str]:
    """What stands between backticks, outside of fenced blocks."""
    return re.findall(r"`([^`]+)`", FENCE.sub("", page.read_text()))


def code_lines(page: Path) -> Iterator[str]:
    """Lines of fenced blocks, continued ones joined and comments cut, then inline code."""
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.split("  #")[0].strip()
    for text in inline(page):
        yield " ".join(text.split())


def commands() -> dict[str, Any]:
    """Every command by its words after `mmrl`, groups among them."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        yield " ".join(words), command
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*words, name))

    return dict(below(get_command(app), ()))


COMMANDS = commands()
LEAVES = sorted(name for name, command in COMMANDS.items() if not hasattr(command, "commands"))


def options(command: Any) -> dict[str, Any]:
    """The options of a command by each of their spellings."""
    given = [param for param in command.params if param.param_type_name == "option"]
    return {name: param for param in given for name in (*param.opts, *param.secondary_opts)}


def mmrl_calls(page: Path) -> Iterator[list[str]]:
    """The words after `mmrl` of each command line on a page."""
    for line in code_lines(page):
        call = re.match(r"(?:\$ |Next: |sudo -u mmrl )?(?:\S*/bin/)?mmrl ([a-z].*)", line)
        if call:
            lexer = shlex.shlex(call[1], posix=True, punctuation_chars="|;&")
            lexer.whitespace_split = True
            yield [word for word in lexer if word not in {"|", ";", "&", "&&"}]


@each_page
def test_a_relative_link_leads_to_a_file(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@each_page
def test_a_path_in_code_is_there(page: Path) -> None:
    text = "\n".join([*blocks(page), *inline(page)])
    paths = re.findall(rf"(?<![\w./-]){TOP_FOLDERS}/[\w./*-]*[\w*]", text)
    modules = re.findall(r"(?<![\w./-])[a-z_]+(?:/[a-z_]+)*/[a-z_0-9]+\.py\b", text)
    missing = [
        path
        for path in {*paths, *modules} - NOT_OURS
        if "NAME" not in path
        and not any(ROOT.glob(path))
        and not any((ROOT / "src/mmrl").rglob(path))
    ]
    assert missing == []


@each_page
def test_a_dotted_name_of_a_module_is_one(page: Path) -> None:
    text = "\n".join([*blocks(page), *inline(page)])
    text = re.sub(r'entry-points\."[^"]+"', "", text)  # groups, no modules
    for name in set(re.findall(r"(?<![\w./@-])((?:mmrl|benchmarks)(?:\.\w+)+)", text)):
        if name == "mmrl.toml" or "NAME" in name:
            continue
        module, _, last = name.rpartition(".")
        assert importlib.util.find_spec(module), name
        if importlib.util.find_spec(name) is None:
            assert hasattr(importlib.import_module(module), last), name


@each_page
def test_a_command_line_is_one_that_mmrl_has(page: Path) -> None:
    for words in mmrl_calls(page):
        command, rest = COMMANDS[""], words
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        assert command is not COMMANDS[""], f"no such command: mmrl {' '.join(words)}"
        known = options(command)
        unknown = [
            word for word in rest if word.startswith("--") and word.split("=")[0] not in known
        ]
        assert unknown == [], f"mmrl {' '.join(words)}"


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_is_documented(name: str) -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert re.search(rf"mmrl {name}\b", text), f"`mmrl {name}` is on no page"


@pytest.mark.parametrize("name", LEAVES)
def test_help_explains_every_option(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    unexplained = [
        option.opts[0]
        for option in options(command).values()
        if not option.hidden and not option.help
    ]
    assert unexplained == []


@each_page
def test_settings_of_a_toml_block_are_valid(page: Path) -> None:
    for block in blocks(page, "toml"):
        Settings(**tomllib.loads(block))


@each_page
def test_a_setting_in_the_text_is_one(page: Path) -> None:
    sections = {
        name: set(field.annotation.model_fields)
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    for text in inline(page):
        setting = re.fullmatch(r"(\w+)\.(\w+)(?: = .*)?", text)
        if setting and setting[1] in sections and setting[2] != "py":
            assert setting[2] in sections[setting[1]], text


@each_page
def test_a_make_target_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in code_lines(page):
        for target in re.findall(r"^make ([a-z-]+)", line):
            assert target in targets, line


def test_architecture_lists_the_tree_as_it_is() -> None:
    listing = next(b for b in blocks(ROOT / "docs/architecture.md") if b.startswith("src/mmrl/"))
    listed, path = set(), [""]
    for line in listing.split("\n\n")[0].splitlines()[1:]:
        indent, name, phrase = re.fullmatch(r"( +)(\S+) +(\S.*)", line).groups()  # type: ignore[union-attr]
        path = [*path[: len(indent) // 4], name]
        listed.add("".join(path))
        assert len(phrase) < 80
    source = ROOT / "src/mmrl"
    modules = {
        str(file.relative_to(source)) for file in source.rglob("*.py") if file.name != "__init__.py"
    }
    packages = {f"{file.parent.relative_to(source)}/" for file in source.rglob("*/__init__.py")}
    assert listed == modules | packages


def test_architecture_describes_every_table() -> None:
    tables = set(inline(ROOT / "docs/architecture.md"))
    assert set(SCHEMAS) - tables == set()


def test_a_line_stands_for_each_dependency_and_for_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    airflow = (ROOT / "requirements/airflow.in").read_text().splitlines()

    def names(requirements: list[str]) -> set[str]:
        found = (re.match(r"[\w-]+", line) for line in requirements)
        return {name[0] for name in found if name}

    page = (ROOT / "docs/dependencies.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)
    listed = {name for row in rows for name in row.split(", ")} - {"package"}
    assert listed == names(project["dependencies"]) | names(airflow)
    for name in names([*extras["dev"], *extras["bench"]]):
        assert name in page, f"docs/dependencies.md does not name {name}"
