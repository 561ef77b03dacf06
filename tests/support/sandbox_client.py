"""A plain HTTP client of the sandbox, and faults that it asks for."""

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmrl.sandbox import SandboxServer
from mmrl.sandbox.credentials import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME
from tests.support.command import HANGS

Answer = tuple[int, dict[str, str], bytes]


class Client:
    """One kept connection; sends what it is told and gives what comes."""

    def __init__(self, server: SandboxServer) -> None:
        host = server.url.removeprefix("http://")
        self.connection = http.client.HTTPConnection(host, timeout=HANGS)
        self.token = ""

    def ask(self, path: str, data: object = None, method: str | None = None) -> Answer:
        body = data if isinstance(data, bytes | None) else json.dumps(data).encode()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.connection.request(method or ("GET" if data is None else "POST"), path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def log_in(self) -> "Client":
        secret = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        form = f"grant_type=password&username={USERNAME}&password={PASSWORD}"
        headers = {"Authorization": f"Basic {secret}"}
        self.connection.request("POST", "/api/v1/access_token", form, headers)
        self.token = json.loads(self.connection.getresponse().read())["access_token"]
        return self


@contextmanager
def faults(client: Client, **options: Any) -> Iterator[None]:
    """Faults in force for a while."""
    status, _, message = client.ask("/sandbox/faults", options)
    assert status == 200, message
    yield
    client.ask("/sandbox/faults", {})
