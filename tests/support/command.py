"""mmrl's commands and pieces of Python, run in this process or in one of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

HANGS = 900  # seconds after which what should have ended is said to hang; no measure of speed


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]  # a command's words to its answer; a fixture of tests/cli


def call(capture: pytest.CaptureFixture[str], *arguments: object) -> Answer:
    """Runs `mmrl` with these arguments in this process."""
    from mmrl.cli import main

    capture.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mmrl", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
    printed = capture.readouterr()
    return Answer(code, printed.out, printed.err)


def printed_by(capture: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What `mmrl` prints with these arguments in this process, where it ends well."""
    answer = call(capture, *arguments)
    assert answer.code == 0, answer
    return answer.out


def start(*arguments: object, **env: str) -> "subprocess.Popen[str]":
    """Starts `mmrl` with these arguments in a process of its own."""
    return _start(["-m", "mmrl", *map(str, arguments)], env)


def process(*arguments: object, **env: str) -> Answer:
    """Runs `mmrl` with these arguments in a process of its own."""
    return ending(start(*arguments, **env))


def start_python(code: str, *arguments: object, **env: str) -> "subprocess.Popen[str]":
    """Starts Python code in a process of its own."""
    return _start(["-c", code, *map(str, arguments)], env)


def python(code: str, *arguments: object, **env: str) -> Answer:
    """Runs Python code in a process of its own."""
    return ending(start_python(code, *arguments, **env))


def printed(code: str, *arguments: object, **env: str) -> str:
    """What Python code prints that ends well in a process of its own."""
    answer = python(code, *arguments, **env)
    assert answer.code == 0, answer.err
    return answer.out


def ending(process: "subprocess.Popen[str]") -> Answer:
    """What a process has answered when it ends by itself."""
    try:
        out, err = process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Answer(process.returncode, out, err or "")


def is_one_sentence(answer: Answer, code: int, *words: str) -> None:
    """The command failed with this code and one sentence on its last line, with these words."""
    assert answer.code == code, answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("mmrl: ")]
    assert len(lines) == 1, answer.err
    assert answer.err.splitlines()[-1] == lines[0]
    assert "Traceback" not in answer.err
    assert all(word in lines[0] for word in words), lines[0]


def _start(arguments: list[str], env: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
