"""Files of submissions, as dumps hold them."""

import json
from pathlib import Path

import zstandard

CREATED = 1_700_000_000


def post(key: str, **fields: object) -> dict[str, object]:
    """A submission's JSON; `fields` go before what it has by default."""
    base = {
        "id": key,
        "title": f"Post {key}",
        "score": 12,
        "created_utc": CREATED,
        "subreddit": "Pics",
        "author": "somebody",
        "url": f"https://i.redd.it/{key}.jpg",
        "is_self": False,
        "over_18": False,
    }
    return base | fields


def dump(path: Path, *lines: object) -> Path:
    """A file of lines, texts as they are and the rest as JSON; packed where it is named so."""
    text = "".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines)
    data = text.encode()
    path.write_bytes(zstandard.compress(data) if path.suffix == ".zst" else data)
    return path
