"""Cache of the hub on this machine, in huggingface_hub's own layout: its tools see it too.

    models--BAAI--bge-m3/
      blobs/HASH              a file's bytes; HASH as the hub tells it
      snapshots/COMMIT/NAME   a link to the blob

A file stands under `snapshots` only when all of it came and was checked.
"""

import re
from pathlib import Path

from mmrl.encoders.hub.models import HubModel

_PARTIAL = ".mmrl.incomplete"


def is_commit(text: str) -> bool:
    """True for a whole commit: 40 hex digits."""
    return re.fullmatch("[0-9a-f]{40}", text) is not None


def cache_folder() -> Path:
    """The cache's folder: `HF_HUB_CACHE`, or `HF_HOME`/hub, or under the user's home."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def repository(model: HubModel) -> Path:
    """The folder of a model in the cache; it need not exist."""
    return cache_folder() / f"models--{model.name.replace('/', '--')}"


def snapshot(model: HubModel) -> Path | None:
    """The folder of the model's files at its commit, complete or not; None where there is none."""
    folder = repository(model) / "snapshots" / model.revision
    return folder if folder.is_dir() else None


def blob(model: HubModel, digest: str) -> Path:
    """The path of the bytes of a file with that hash."""
    return repository(model) / "blobs" / digest


def partial(model: HubModel, digest: str) -> Path:
    """The path of the bytes while some of them are still to come."""
    return repository(model) / "blobs" / f"{digest}{_PARTIAL}"


def partials(model: HubModel) -> list[Path]:
    """Files of which only some came."""
    return sorted((repository(model) / "blobs").glob(f"*{_PARTIAL}"))
