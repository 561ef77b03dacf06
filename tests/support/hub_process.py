"""A stand-in of the Hugging Face hub on loopback, and mmrl in a process that is told to use it.

It is a real HTTP server that speaks the part of the hub's API that huggingface_hub asks for, with
small random files under the real models' names, and with faults on demand. The client is the real
one: huggingface_hub in a process of its own, since it reads its settings when it is imported.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mmrl.encoders.hub.models import hub_models
from tests.support.command import Answer, ending
from tests.support.loopback import Answers, listening

LARGE = 400_000  # files of weights have this many bytes and more

# Runs what follows with the facts of the stand-in's files in place of the real ones'.
CLIENT = """
import dataclasses, json, os, sys
from mmrl.encoders.hub.models import hub_models
for name, facts in json.loads(os.environ["TEST_FACTS"]).items():
    hub_models()[name] = dataclasses.replace(hub_models()[name], **facts)
from mmrl.cli import main
sys.argv = ["mmrl", *sys.argv[1:]]
main()
"""


@dataclass(frozen=True)
class Asked:
    """A request that the stand-in saw."""

    method: str
    path: str
    host: str
    range: str | None
    authorization: str | None


@dataclass
class Repository:
    """A model's files at one commit."""

    commit: str
    files: dict[str, bytes]
    weights: str
    gated_for: str | None = None  # the one token that may read

    def digest(self, name: str) -> str:
        """As the hub names a file's bytes: SHA-256 in LFS, git's SHA-1 elsewhere."""
        data = self.files[name]
        if name == self.weights:
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Hub:
    """What is served, what goes wrong, and what was seen.

    Attributes:
        cut_after: for the next answers with weights: bytes after which the connection breaks.
        stall_after: bytes of weights after which nothing more comes, until it is None again.
        tells_size, sends_other: the size told of weights, and the bytes sent, in place of theirs.
        page: what every address answers, as a proxy's own page does.
    """

    port: int
    repositories: dict[str, Repository]
    asked: list[Asked] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)  # bytes of weights, by request
    cut_after: list[int] = field(default_factory=list)
    stall_after: int | None = None
    tells_size: int | None = None
    sends_other: bytes | None = None
    page: bytes | None = None
    ignores_range: bool = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def facts(self) -> dict[str, dict[str, object]]:
        """What mmrl is to know of the stand-in's models."""
        found: dict[str, dict[str, object]] = {}
        for name, repository in self.repositories.items():
            size = sum(map(len, repository.files.values()))
            found[name] = {"size_bytes": size}
            if hub_models()[name].sha256:
                found[name]["sha256"] = repository.digest(repository.weights)
        return found

    def environment(self, folder: Path, **more: str) -> dict[str, str]:
        """For a process that takes this for the hub, and keeps its cache in a folder."""
        own = {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "5",
            "DO_NOT_TRACK": "true",
            "NO_PROXY": "*",
            "TEST_FACTS": json.dumps(self.facts()),
            "COLUMNS": "80",
        }
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "MMRL_")) and "PROXY" not in name.upper()
        }
        return {**inherited, **own, **more}

    def start(self, folder: Path, *arguments: object, **env: str) -> "subprocess.Popen[str]":
        """Starts `mmrl` with these arguments."""
        return subprocess.Popen(
            [sys.executable, "-c", CLIENT, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=self.environment(folder, **env),
        )

    def run(self, folder: Path, *arguments: object, **env: str) -> Answer:
        """Runs `mmrl` with these arguments to its end."""
        return ending(self.start(folder, *arguments, **env))

    def fetched(self) -> list[Asked]:
        """Requests for the bytes of weights."""
        return [asked for asked in self.asked if asked.path.startswith("/blobs/")]


def repositories() -> dict[str, Repository]:
    """Small random files for every model mmrl knows."""
    draw = random.Random(5)
    return {
        name: Repository(
            model.revision,
            {
                file: draw.randbytes(LARGE + draw.randrange(9) if file == model.weights else 300)
                for file in model.files
            },
            model.weights,
        )
        for name, model in hub_models().items()
    }


class _Answers(Answers):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, headers = self.hub, self.headers
        host, token = headers.get("Host", ""), headers.get("Authorization")
        path = self.path.partition("?")[0]
        hub.asked.append(Asked(self.command, path, host, headers.get("Range"), token))
        parts = path.strip("/").split("/")
        try:
            if hub.page is not None:
                self._say(200, hub.page, Content_Type="text/html")
            elif parts[0] == "blobs":
                self._weights("/".join(parts[1:3]))
            elif parts[:2] == ["api", "models"]:
                self._about("/".join(parts[2:4]), *parts[4:])
            else:
                self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        except OSError:  # the client hung up, which some tests want
            self.close_connection = True

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _find(self, name: str, revision: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            # So the hub answers whoever shows no token, whether the repository exists or not.
            self._say(401, b"", X_Error_Code="RepoNotFound")
        elif revision not in (repository.commit, "main"):
            self._say(404, b"", X_Error_Code="RevisionNotFound")
            return None
        return repository

    def _about(self, name: str, what: str = "", revision: str = "main") -> None:
        repository = self._find(name, revision)
        if repository is None:
            return
        entries = []
        for file, data in repository.files.items():
            size, digest = len(data), repository.digest(file)
            is_weights = file == repository.weights
            if is_weights and self.hub.tells_size is not None:
                size = self.hub.tells_size
            lfs = {"size": size, "sha256": digest, "oid": digest, "pointerSize": 134}
            names = {"rfilename": file, "blobId": digest[:40], "path": file, "oid": digest[:40]}
            entries.append({**names, "type": "file", "size": size})
            if is_weights:
                entries[-1]["lfs"] = lfs
        found = {"id": name, "sha": repository.commit, "siblings": entries}
        answer = entries if what == "tree" else found
        self._say(200, json.dumps(answer).encode(), Content_Type="application/json")

    def _file(self, name: str, revision: str, file: str) -> None:
        repository = self._find(name, revision)
        if repository is None:
            return
        gated_for = repository.gated_for
        if gated_for is not None and self.headers.get("Authorization") != f"Bearer {gated_for}":
            self._say(403, b"", X_Error_Code="GatedRepo")
            return
        data, digest = repository.files[file], repository.digest(file)
        told = {"X_Repo_Commit": repository.commit, "ETag": f'"{digest}"'}
        if file != repository.weights:
            self._say(200, data, **told)
            return
        self._say(
            302,
            b"",
            **told,
            X_Linked_ETag=f'"{digest}"',
            X_Linked_Size=str(len(data)),
            # Another host name, as weights come from a CDN.
            Location=f"http://localhost:{self.hub.port}/blobs/{name}",
        )

    def _weights(self, name: str) -> None:
        hub, repository = self.hub, self.hub.repositories[name]
        whole = hub.sends_other or repository.files[repository.weights]
        start = 0
        asked = self.headers.get("Range")
        if asked is not None and not hub.ignores_range:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        nth = len(hub.sent)
        hub.sent.append(0)
        end = start + hub.cut_after.pop(0) if hub.cut_after else len(whole)
        for place in range(start, min(end, len(whole)), 10_000):
            while hub.stall_after is not None and place >= hub.stall_after:
                time.sleep(0.02)
            piece = whole[place : min(place + 10_000, end)]
            self.wfile.write(piece)
            hub.sent[nth] += len(piece)
        if end < len(whole):
            self.close_connection = True


@contextmanager
def hub_process() -> Iterator[Hub]:
    """The stand-in, with all models that mmrl knows."""

    class Stand(_Answers):
        pass

    with listening(Stand) as port:
        hub = Hub(port, repositories())
        Stand.hub = hub
        yield hub
        hub.stall_after = None
