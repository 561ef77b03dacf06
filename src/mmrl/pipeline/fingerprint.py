"""Fingerprint of a training: the same fingerprint, the same model.

It is of the rules (settings of training and labels, encoders) and of the rows that labelled samples
are made of. A home notes in `models/last_reading.json` at which versions of its tables it was last
taken, so that it needs no row to be read again where nothing was written since.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.samples.digest import digest, is_as_it_was, versions_read
from mmrl.storage.opening import storage_of
from mmrl.times import iso, parse_time

_FILE = "models/last_reading.json"


@dataclass(frozen=True)
class Reading:
    """Labelled samples as they were found.

    Attributes:
        labelled: how many there are.
    """

    labelled: int
    fingerprint: str


def take(
    catalog: Catalog, settings: Settings, encoders: dict[str, str], as_of: datetime
) -> Reading:
    """The fingerprint of what a model would learn from at `as_of`, and how many samples that is."""
    rules = _rules(settings, encoders)
    if noted := _noted(catalog, rules, as_of):
        return noted
    tables = versions_read(catalog)  # before the rows, so that what is written meanwhile is new
    labelled, digested = digest(catalog, settings, as_of)
    reading = Reading(labelled, sha256(f"{rules}\n{digested}".encode()).hexdigest())
    note = {"rules": rules, "tables": tables, "as_of": iso(as_of), **vars(reading)}
    storage_of(catalog.home).write(_FILE, json.dumps(note).encode())
    return reading


def _noted(catalog: Catalog, rules: str, as_of: datetime) -> Reading | None:
    """The last reading, if this one would find the same; None where that can't be told."""
    data = storage_of(catalog.home).read(_FILE)
    try:
        note = json.loads(data or b"")
        then, reading = parse_time(note["as_of"]), Reading(note["labelled"], note["fingerprint"])
        if note["rules"] == rules and is_as_it_was(catalog, note["tables"], then, as_of):
            return reading
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _rules(settings: Settings, encoders: dict[str, str]) -> str:
    hasher = sha256()
    for part in (settings.train.model_dump_json(), settings.label.model_dump_json()):
        hasher.update(part.encode())
    asked = [settings.filter.require_image, settings.read_text, *sorted(encoders.items())]
    hasher.update(repr(asked).encode())
    return hasher.hexdigest()
