"""Cells as they are kept: predictions of test posts, with the fingerprint of their training."""

from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.samples.load import encoders_of
from mmrl.storage.whole_files import write_whole
from mmrl.version import __version__

_FINGERPRINT = b"mmrl.fingerprint"  # in the file's metadata
# Of [train], what a cell says itself or no training of one depends on.
_APART = {"target", "split", "test_blocks", "seed", "bootstrap", "ablation"}


def fingerprint(settings: Settings, profile: str, digested: str) -> str:
    """Of a training with a profile: the same cell with the same fingerprint, the same predictions.

    Another version of mmrl may learn in another way, so its cells are others.

    Args:
        digested: the digest of the labelled samples, see `mmrl.samples.digest`.
    """
    encoders = encoders_of(load_profile(settings.model_copy(update={"profile": profile})))
    rules = [
        __version__,
        settings.train.model_dump_json(exclude=_APART),
        settings.label.model_dump_json(),
        settings.filter.require_image,
        settings.read_text,
        *sorted(encoders.items()),
        digested,
    ]
    return sha256(repr(rules).encode()).hexdigest()


def write_cell(file: Path, predictions: pa.Table, of: str) -> None:
    """Keeps a cell's predictions of its test posts, whole or not at all.

    Args:
        of: the fingerprint of its training.
    """
    facts = {**(predictions.schema.metadata or {}), _FINGERPRINT: of.encode()}
    written = pa.BufferOutputStream()
    pq.write_table(predictions.replace_schema_metadata(facts), written)
    write_whole(file, written.getvalue().to_pybytes())


def read_cell(file: Path, of: str) -> pa.Table | None:
    """A cell's predictions; None where none are kept of a training with this fingerprint."""
    return pq.read_table(file) if is_kept(file, of) else None


def is_kept(file: Path, of: str) -> bool:
    """Whether a cell is kept of a training with this fingerprint.

    Cells of an mmrl that noted none are not, nor are those that can't be read.
    """
    try:
        facts = pq.read_schema(file).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return bool(facts.get(_FINGERPRINT) == of.encode())
