"""Downloads models from the hub into its cache: pinned, resumed, checked.

huggingface_hub asks the hub, keeps the token and lays out the cache. The bytes themselves are
fetched here, because huggingface_hub (2.4) throws away what came when it is stopped, and a file
has gigabytes: what came stays beside the blobs, the next fetch asks for the rest, and a whole file
is taken only if its hash is the one the hub tells.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmrl.encoders.hub import cache as hub_cache
from mmrl.encoders.hub.errors import explained
from mmrl.encoders.hub.models import HubModel, gigabytes
from mmrl.errors import WeightsError
from mmrl.runtime.progress import Progress
from mmrl.runtime.retry import HUB

_LINE = 18  # letters of a model's name beside a bar


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub tells it.

    Attributes:
        digest: SHA-256 of a large file's bytes, git's SHA-1 of a small one's: 64 or 40 digits.
    """

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Plan:
    """The files to be fetched of a model.

    Attributes:
        commit: 40 digits; the pinned one, or what `main` is now.
        missing: the needed files that are not there.
        came: bytes of them that came before.
    """

    model: HubModel
    commit: str
    missing: tuple[RemoteFile, ...]
    came: int

    @property
    def size(self) -> int:
        """Of the missing files, in bytes."""
        return sum(file.size for file in self.missing)

    @property
    def left(self) -> int:
        """Bytes still to come."""
        return self.size - self.came


def plan(model: HubModel) -> Plan:
    """Asks the hub for a model's files at its commit, and looks which are there.

    Raises:
        WeightsError: the hub can't be reached, refuses, or lacks the commit or a file.
    """
    _quiet()
    with explained(model):
        commit, files = _ask(model)
    if lacking := [name for name in model.files if name not in files]:
        raise WeightsError(
            f"The hub's {model.name} has no {', '.join(lacking)} at commit {commit}, though mmrl "
            "needs them; this mmrl and that repository do not fit together: update mmrl."
        )
    if model.sha256 and files[model.weights].digest != model.sha256:
        raise WeightsError(
            f"The hub tells the hash {files[model.weights].digest} of {model.weights} of "
            f"{model.name} at commit {commit}, where mmrl knows {model.sha256}: these are not the "
            "weights it was made for, and nothing was fetched. If HF_ENDPOINT is set, see that it "
            "is right; otherwise report it."
        )
    snapshot = hub_cache.repository(model) / "snapshots" / commit
    missing = []
    for name in model.files:
        file, there = files[name], snapshot / name
        if not there.is_file():
            missing.append(file)
        elif (size := there.stat().st_size) != file.size:
            raise WeightsError(
                f"{there} has {size:,} bytes where the hub tells {file.size:,}: it was changed. "
                f"Delete it and {there.resolve()}, and run `mmrl weights fetch {model.name}` again."
            )
    came = sum(min(_came(model, file), file.size) for file in missing)
    return Plan(model, commit, tuple(missing), came)


def _ask(model: HubModel) -> tuple[str, dict[str, RemoteFile]]:
    """The commit to take, and all files the hub has at it."""
    from huggingface_hub import HfApi
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT

    try:
        info = HfApi().model_info(
            model.name,
            revision=model.revision,
            files_metadata=True,
            timeout=HF_HUB_ETAG_TIMEOUT,
        )
        files = {}
        for file in info.siblings or []:
            size, digest = file.size, file.blob_id
            if file.lfs is not None:
                size, digest = file.lfs.size, file.lfs.sha256
            if not isinstance(size, int) or not re.fullmatch("[0-9a-f]{40,64}", str(digest)):
                raise ValueError("a file without size or hash")
            files[file.rfilename] = RemoteFile(file.rfilename, size, str(digest))
    except (KeyError, TypeError, AttributeError) as error:  # JSON, but not the hub's
        raise ValueError("not the hub's answer") from error
    if info.sha is None or not hub_cache.is_commit(info.sha):
        raise ValueError("no commit")
    return info.sha, files


def _came(model: HubModel, file: RemoteFile) -> int:
    """Bytes of a file that came before."""
    for place in (hub_cache.blob(model, file.digest), hub_cache.partial(model, file.digest)):
        if place.is_file():
            return place.stat().st_size
    return 0


def free_space() -> int:
    """Bytes free where the cache is, or will be."""
    folder = hub_cache.cache_folder().absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_space(plans: Sequence[Plan], free: int) -> None:
    """Refuses plans that the disk is too small for.

    Raises:
        WeightsError: says how much is needed, how much is there, and what to do.
    """
    left = sum(plan.left for plan in plans)
    if left > free:
        raise WeightsError(
            f"{gigabytes(left)} are still to come, but only {gigabytes(free)} are free at "
            f"{hub_cache.cache_folder()}: free some space, or set HF_HUB_CACHE to a folder on "
            "another disk. Nothing was fetched."
        )


def fetch(plan: Plan, progress: Progress) -> None:
    """Downloads what a plan says into the hub's cache.

    What came before a failure or a kill is kept, and the next fetch goes on from there.

    Raises:
        WeightsError: the connection broke for good, what came is not what the hub tells, the disk
            is full or not writable, or another process is at it.
    """
    from huggingface_hub import hf_hub_download

    _quiet()
    model = plan.model
    progress.start(_short(model.name), plan.size)
    progress.advance(plan.came)
    with explained(model), _alone(model):
        for file in plan.missing:
            if not hub_cache.blob(model, file.digest).is_file():
                _download(model, plan.commit, file, progress)
            # Links the blob into the snapshot.
            hf_hub_download(model.name, file.name, revision=plan.commit)
        for leftover in hub_cache.partials(model):  # of a file that was replaced on the hub
            leftover.unlink()
    progress.finish("checked")


def _short(name: str) -> str:
    """A model's name for the line of a bar."""
    own = name.rpartition("/")[2]
    return own if len(own) <= _LINE else f"{own[: _LINE - 1]}…"


def _quiet() -> None:
    """Keeps huggingface_hub's own bars and warnings off the terminal: ours say it."""
    from huggingface_hub.utils import disable_progress_bars, logging

    disable_progress_bars()
    logging.set_verbosity_error()


@contextmanager
def _alone(model: HubModel) -> Iterator[None]:
    """One process at a time may fetch a model."""
    from huggingface_hub.utils import WeakFileLock

    folder = hub_cache.repository(model)
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(WeakFileLock(folder / ".mmrl.lock", timeout=1))
        except TimeoutError:
            raise WeightsError(
                f"Another process is fetching {model.name}: wait for it, then run this again."
            ) from None
        yield


def _download(model: HubModel, commit: str, file: RemoteFile, progress: Progress) -> None:
    """Brings one file's bytes, from where they broke off, and checks them."""
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(model.name, file.name, revision=commit)
    came = hub_cache.partial(model, file.digest)
    came.touch()
    failed = 0
    while (have := came.stat().st_size) < file.size:
        try:
            _stream(url, came, progress)
        except Exception as error:
            failed = 0 if came.stat().st_size > have else failed + 1
            if HUB.exhausted(failed) or not _may_pass(error):
                raise
            time.sleep(HUB.wait(failed))  # not at all where bytes came
        else:
            failed = 0 if came.stat().st_size > have else failed + 1
            if HUB.exhausted(failed):
                raise WeightsError(f"The hub sends nothing more of {file.name} of {model.name}.")
    if (size := came.stat().st_size) > file.size or _digest(came, file) != file.digest:
        came.unlink()
        raise WeightsError(
            f"{file.name} of {model.name} came with {size:,} bytes that are not what the hub tells "
            f"({file.size:,} bytes, hash {file.digest}); they were deleted. Run `mmrl weights "
            f"fetch {model.name}` again; if it stays so, what lies between (a proxy, a mirror in "
            "HF_ENDPOINT) changes files."
        )
    os.replace(came, hub_cache.blob(model, file.digest))


def _stream(url: str, came: Path, progress: Progress) -> None:
    """Appends to a file what is missing of it, until the server ends or the connection breaks."""
    from huggingface_hub import get_session
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    have = came.stat().st_size
    # Compressed, neither the range nor the length would be of the file. The token goes to the hub
    # alone: the client drops it when it is sent on to another host.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    session = get_session()
    with session.stream("GET", url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT) as answer:
        hf_raise_for_status(answer)
        with came.open("ab", buffering=0) as out:  # what came outlives a kill
            if have and answer.status_code != 206:  # the whole file comes again
                out.truncate(0)
                progress.advance(-have)
            for chunk in answer.iter_bytes():
                out.write(chunk)
                progress.advance(len(chunk))


def _may_pass(error: Exception) -> bool:
    """True where another try may go better: the network broke, or the server is busy."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    if isinstance(error, HfHubHTTPError):
        return HUB.retries(error.response.status_code)
    return isinstance(error, HTTPError)


def _digest(path: Path, file: RemoteFile) -> str:
    """A file's hash, of the kind the hub tells of it."""
    if len(file.digest) == 64:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    # Small files lie in git itself, which hashes a header with them.
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
