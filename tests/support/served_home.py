"""A home to serve, and a server of it: the earlier home, with its model, posts and pictures."""

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

import mmrl
from mmrl.catalog import Catalog
from mmrl.config import load_settings
from mmrl.times import parse_time
from mmrl.web.champion import Champion
from mmrl.web.requests.access import Access
from mmrl.web.service import Service
from tests.support.earlier_home import AS_OF

NOW = parse_time(AS_OF)


def load_champion(home: Path) -> Champion:
    """The home's champion, at NOW."""
    return Champion(mmrl.open(home), lambda: NOW)


def serve_home(
    home: Path, champion: Champion, access: Access | None = None, **parts: Any
) -> Service:
    """What a server of that home shares between its requests; its clock stands at NOW."""
    catalog, settings = Catalog.open(home), load_settings(home)
    access = access or Access.of("127.0.0.1", ("testserver",))
    return Service(catalog, settings, access, lambda: NOW, champion, **parts)


def picture(colour: str, side: int = 320, image_format: str = "JPEG") -> bytes:
    """A small picture: a disc on a ground of that colour."""
    image = Image.new("RGB", (side, side), colour)
    ImageDraw.Draw(image).ellipse((side // 4, side // 4, side // 2, side // 2), "white")
    out = io.BytesIO()
    image.save(out, image_format)
    return out.getvalue()
