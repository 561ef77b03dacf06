"""A home to serve: a model, samples of its posts, and the posts and pictures that they tell of."""

import io
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, ImageDraw

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.web.access import Access
from mmrl.web.app import make_app
from mmrl.web.champion import Champion
from mmrl.web.service import Service
from tests.support.filled_home import SAMPLES, SETTINGS, fill_samples
from tests.support.learning_samples import AS_OF

MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>"


def fill(trained_home: Path, home: Path) -> Path:
    """Copies a home with a model, and keeps SAMPLES and their posts in it."""
    shutil.copytree(trained_home, home)
    catalog = Catalog.open(home)
    fill_samples(catalog, SAMPLES)
    posts = SAMPLES.num_rows
    held = {
        **{name: SAMPLES[name] for name in ("post_id", "subreddit", "author_id", "created_at")},
        "title": pa.array([MARKUP if n % 50 == 0 else f"Post number {n}" for n in range(posts)]),
        "author_name": pa.array(["ada" if n % 40 == 1 else None for n in range(posts)]),
        "over_18": pa.array([n % 30 == 0 for n in range(posts)]),
        "permalink": pc.binary_join_element_wise("/r/x/comments/", SAMPLES["post_id"], ""),
        "first_seen_at": SAMPLES["created_at"],
        "source": pa.array(["table:made-up"] * posts),
    }
    schema = SCHEMAS["posts"]
    missing = pa.nulls(posts)
    rows = pa.table([held.get(name, missing) for name in schema.names], schema.names)
    catalog.upsert("posts", rows.cast(schema))
    return home


def serve_home(home: Path, access: Access | None = None, **gates: object) -> Service:
    """What a server of that home shares between its requests; its clock stands at AS_OF."""
    catalog = Catalog.open(home)

    def now() -> object:
        return AS_OF

    champion = Champion(catalog, SETTINGS, now)  # type: ignore[arg-type]
    access = access or Access.of("127.0.0.1", ("testserver",))
    return Service(catalog, SETTINGS, access, now, champion, **gates)  # type: ignore[arg-type]


def picture(colour: str, side: int = 320, image_format: str = "JPEG") -> bytes:
    """A small picture: a disc on a ground of that colour."""
    image = Image.new("RGB", (side, side), colour)
    ImageDraw.Draw(image).ellipse((side // 4, side // 4, side // 2, side // 2), "white")
    out = io.BytesIO()
    image.save(out, image_format)
    return out.getvalue()


__all__ = ["MARKUP", "fill", "make_app", "picture", "serve_home"]
