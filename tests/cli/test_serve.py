"""`mmrl serve`: what a person sees in the terminal."""

import re
import signal
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from mmrl.catalog import Catalog
from tests.support.command import call, start
from tests.support.earlier_home import AS_OF, unpack_earlier_home


def test_a_home_without_a_model_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Catalog.open(tmp_path / "home", create=True)
    answer = call(capsys, "serve", "--home", tmp_path / "home", "--port", 0)
    assert answer.code == 2
    assert "No model was trained yet" in answer.err


def test_a_port_in_use_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Catalog.open(tmp_path / "home", create=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = call(capsys, "serve", "--home", tmp_path / "home", "--port", port)
    assert answer.code == 2
    assert f"Port {port} of 127.0.0.1 is in use" in answer.err


def test_another_host_without_a_token_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MMRL_SERVE_TOKEN", raising=False)
    answer = call(capsys, "serve", "--home", tmp_path / "home", "--host", "0.0.0.0")
    assert answer.code == 2
    assert "a token is needed: set MMRL_SERVE_TOKEN" in answer.err


@pytest.mark.slow
def test_it_prints_its_address_answers_there_and_ends_at_a_signal(tmp_path: Path) -> None:
    unpack_earlier_home(tmp_path / "home")
    process = start("serve", "--home", tmp_path / "home", "--as-of", AS_OF, "--port", 0)
    assert process.stdout is not None
    said = process.stdout.readline()
    url = re.search(r"http://127\.0\.0\.1:\d+/", said)
    assert url is not None, said + process.communicate()[1]
    with urlopen(f"{url[0]}readyz") as answer:
        assert b'"model_version":"1"' in answer.read()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, out) in [(0, ""), (-signal.SIGTERM, "")], err
    assert "Traceback" not in err
