"""Drafts as a CSV file, a draft a row, and rankings as one."""

import csv
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mmrl.config import ImageSettings
from mmrl.errors import InputError, MmrlError, NotFoundError
from mmrl.runtime.foreign_text import cell
from mmrl.serving.inputs.contents import images_of, is_on_web
from mmrl.serving.inputs.drafts import Drafts
from mmrl.serving.inputs.hours import posting_time
from mmrl.serving.ranks.ranking import Ranking
from mmrl.times import iso

_COLUMNS = ("image", "title", "subreddit", "at", "author", "over_18", "spoiler", "flair")
_FEATURE = "feature:"  # before a feature's name
_YES, _NO = ("1", "true", "yes"), ("", "0", "false", "no")
_ENDS = ("low", "middle", "high")


def read_drafts(path: Path, images: ImageSettings, zone: str, after: datetime) -> list[Drafts]:
    """The drafts of a file with a header: title and subreddit, and what else is known.

    Args:
        zone: the time zone of the column `at`.
        after: hours of posting are later than this.

    Raises:
        NotFoundError: there is no such file.
        InputError: a column or a value is none that a draft may have; names the line.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}: give a CSV file with a draft a row.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no CSV file in UTF-8 ({error}).") from error
    if not rows:
        raise InputError(f"{path} has no draft: give a header and a row a draft.")
    unknown = [
        name for name in rows[0] if name not in _COLUMNS and not (name or "").startswith(_FEATURE)
    ]
    if unknown or not {"title", "subreddit"} <= set(rows[0]):
        raise InputError(
            f"{path} has the columns {', '.join(map(str, rows[0]))}: it needs title and subreddit, "
            f"and may have {', '.join(_COLUMNS)} and {_FEATURE}NAME."
        )
    drafts = []
    for line, row in enumerate(rows, 2):
        try:
            drafts.append(_draft(row, path.parent, images, zone, after))
        except MmrlError as error:
            raise type(error)(f"{path}, draft in line {line}: {error}") from error
    return drafts


def write_ranking(ranking: Ranking, path: Path) -> None:
    """Writes a ranking, the best first, for spreadsheets; what is not known is empty."""
    outcomes = ("percentile", "score", "popularity")
    names = ["place", "image", "title", "subreddit", "posted_at"]
    names += [f"{name}_{end}" for name in outcomes for end in _ENDS] + [
        "top_tenth",
        "removal",
        "notes",
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in ranking:
            intervals = [getattr(row, name) for name in outcomes]
            writer.writerow(
                [
                    row.place,
                    *(cell(text or "") for text in (row.image, row.title, row.subreddit)),
                    iso(row.posted_at),
                    *(
                        None if interval is None else f"{getattr(interval, end):.6g}"
                        for interval in intervals
                        for end in _ENDS
                    ),
                    *(
                        None if share is None else f"{share:.4f}"
                        for share in (row.top_tenth, row.removal)
                    ),
                    cell(" ".join([*ranking.notes, *row.notes])),
                ]
            )


def _draft(
    row: dict[str, str | None], folder: Path, images: ImageSettings, zone: str, after: datetime
) -> Drafts:
    if None in row or None in row.values():
        raise InputError("it has more or fewer values than the header.")
    told = {name: (value or "").strip() for name, value in row.items()}
    image, at = told.get("image", ""), told.get("at", "")
    if image and not is_on_web(image):
        image = str(folder / image)
    drafts = Drafts(
        [row["title"] or ""],
        [told["subreddit"]],
        images_of([image], images) if image else [],
        [posting_time(at, zone, after)] if at else [],
        author=told.get("author") or None,
        flair=told.get("flair") or None,
        features={
            name.removeprefix(_FEATURE): value
            for name, value in told.items()
            if name.startswith(_FEATURE) and value
        },
    )
    return replace(drafts, over_18=_mark(told, "over_18"), spoiler=_mark(told, "spoiler"))


def _mark(told: dict[str, str], name: str) -> bool:
    value = told.get(name, "").lower()
    if value not in (*_YES, *_NO):
        raise InputError(f"{name} is {value!r}: give true or false.")
    return value in _YES
