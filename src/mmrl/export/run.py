"""An export: batches written as they come, cards beside them, all or nothing."""

import json
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.errors import InputError
from mmrl.export.cards import Facts, data_card, model_card
from mmrl.export.contents import Content, Exporting, content_of
from mmrl.export.writers import writer
from mmrl.runtime.progress import Progress
from mmrl.sources.kinds import SIMULATED
from mmrl.times import iso

MANIFEST = "export.json"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: with the files, `README.md` (the card) and `export.json`.
        size_bytes: of all files.
    """

    content: str
    format: str
    folder: Path
    rows: int
    files: int
    size_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "folder": str(self.folder)}


class _Counting:
    """Counts what goes by, for the card."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.rows = self.labelled = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.schema = pa.schema([])

    def __call__(self, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        for batch in batches:
            self.schema = batch.schema
            self.rows += batch.num_rows
            if "score" in batch.schema.names:
                self.labelled += batch.num_rows - batch["score"].null_count
            if batch.num_rows and "created_at" in batch.schema.names:
                bounds = pc.min_max(batch["created_at"]).as_py()
                known = [time for time in (self.first, bounds["min"]) if time is not None]
                self.first = min(known, default=None)
                known = [time for time in (self.last, bounds["max"]) if time is not None]
                self.last = max(known, default=None)
            yield batch
            self._progress.advance(batch.num_rows)

    def facts(self, command: str) -> Facts:
        """What was counted, in the words of a card."""
        labelled = self.labelled if "score" in self.schema.names else None
        columns = {field.name: str(field.type) for field in self.schema}
        return Facts(self.rows, labelled, self.first, self.last, columns, command)


def export(home: Exporting, name: str, folder: Path, form: str, progress: Progress) -> Exported:
    """Writes one content into a folder, which is new, empty, or an earlier export.

    The files appear together at the end; an interrupted export leaves the folder as it was.

    Raises:
        InputError: there is no such content or format, they don't go together, or the folder holds
            something else.
        NotFoundError: the model version does not exist.
    """
    content = content_of(name, form)
    _require_ours(folder)
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    counted = _Counting(progress)
    progress.start(f"export {name}", None)
    with writer(form, partial, name, content.image) as out:
        for batch in counted(content.batches(home)):
            out.write(batch)
    command = _command(home, name, folder, form)
    card = data_card(home, content, form, counted.facts(command))
    (partial / "README.md").write_text(card, encoding="utf-8")
    if content.name == "evaluation":
        _add_model(home, partial)
    _write_manifest(home, content, form, partial, counted.rows, command)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    progress.finish(f"{counted.rows:,} rows, {size / 1e6:,.1f} MB")
    return Exported(name, form, folder, counted.rows, len(files), size)


def _require_ours(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file()):
        raise InputError(
            f"{folder} holds something else than an export: give --to a folder that is new, empty "
            "or an earlier export, which is then replaced."
        )


def _command(home: Exporting, name: str, folder: Path, form: str) -> str:
    words = ["mmrl", "export", name, "--to", str(folder), "--format", form]
    words += ["--as-of", iso(home.as_of), "--home", home.catalog.home]
    if name == "evaluation":
        words += ["--model", home.version]
    return shlex.join(words)


def _add_model(home: Exporting, folder: Path) -> None:
    """The model's card and its evaluation, beside its test predictions."""
    from mmrl.learning.registry.registry import Registry
    from mmrl.purge.rows import purged_of

    shown = Registry(home.catalog.home).show(home.version)
    purged = purged_of(home.catalog, shown.version)
    simulated = home.catalog.count("posts", SIMULATED) > 0
    card = model_card(shown, simulated, purged)
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    (folder / "evaluation.json").write_text(shown.evaluation.to_json(), encoding="utf-8")


def _write_manifest(
    home: Exporting, content: Content, form: str, folder: Path, rows: int, command: str
) -> None:
    manifest = {
        "content": content.name,
        "format": form,
        "as_of": iso(home.as_of),
        "rows": rows,
        "command": command,
        "files": sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
