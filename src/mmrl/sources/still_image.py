"""The still image of a post, found in the post's own JSON; no page is opened.

Looked for in the order of certainty: a gallery names its images, a direct link is one, a preview is
an image that Reddit itself fetched, and an Imgur page of a single image names its file.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from mmrl.sources.fields import text, unescaped

_STILL = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_MOVING = frozenset({".gifv", ".mp4", ".webm", ".mov", ".m4v"})
_VIDEO_HOSTS = (
    *("v.redd.it", "youtube.com", "youtu.be", "vimeo.com", "streamable.com", "gfycat.com"),
    *("redgifs.com", "tiktok.com", "twitch.tv", "dailymotion.com"),
)
_FILE_HOSTS = ("i.redd.it", "i.reddituploads.com")  # every address there is an image
# Sites where a page shows one image, so that Reddit's preview of the page is that image.
# Elsewhere (a newspaper...) the preview is an illustration, not what was posted.
_IMAGE_SITES = (
    *("imgur.com", "flickr.com", "flic.kr", "500px.com", "deviantart.com", "artstation.com"),
    *("instagram.com", "redd.it", "reddituploads.com", "commons.wikimedia.org"),
)
_IMGUR_ID = re.compile(r"/([A-Za-z0-9]{5}|[A-Za-z0-9]{7})(?:\.[A-Za-z]+)?")
_IMGUR_WORDS = frozenset({"about", "gallery", "privacy", "apps", "jobs", "store", "terms"})


@dataclass(frozen=True)
class Media:
    """The media of a post.

    Attributes:
        image_url: the still image to learn from; None for texts, links and videos.
        is_video: whether it is a video.
        gallery_size: how many images a gallery lists; None for anything else.
    """

    image_url: str | None = None
    is_video: bool = False
    gallery_size: int | None = None


def find_media(post: dict[str, Any]) -> Media:
    """The media of a post; for a crosspost those of its parent."""
    parents = post.get("crosspost_parent_list")
    if isinstance(parents, list) and parents and isinstance(parents[-1], dict):
        post = parents[-1]
    address = text(post.get("url_overridden_by_dest")) or text(post.get("url")) or ""
    address = unescaped(address)
    parts = split(address)
    items = _gallery_items(post)
    if items is not None or post.get("is_gallery") is True or "/gallery/" in _reddit_path(parts):
        return _gallery(items or [], post)
    if _is_video(post, parts):
        return Media(is_video=True)
    if post.get("is_self") is True or parts is None:
        return Media()
    return Media(image_url=_direct(parts) or _preview(post, parts) or _imgur_page(parts))


def split(address: str) -> SplitResult | None:
    """An http(s) address in parts; None for anything else."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and host else None


def _on(parts: SplitResult, hosts: tuple[str, ...]) -> bool:
    """True where the address is on one of the hosts, or on a subdomain of one."""
    host = (parts.hostname or "").rstrip(".")
    return any(host == known or host.endswith("." + known) for known in hosts)


def _suffix(parts: SplitResult) -> str:
    return PurePosixPath(parts.path).suffix.lower()


def _reddit_path(parts: SplitResult | None) -> str:
    return parts.path if parts is not None and _on(parts, ("reddit.com",)) else ""


def _is_video(post: dict[str, Any], parts: SplitResult | None) -> bool:
    if post.get("is_video") is True or post.get("post_hint") in ("hosted:video", "rich:video"):
        return True
    return parts is not None and (_on(parts, _VIDEO_HOSTS) or _suffix(parts) in _MOVING)


def _gallery_items(post: dict[str, Any]) -> list[str] | None:
    """The ids of a gallery's images in the poster's order; None where it is not a gallery."""
    data = post.get("gallery_data")
    if not isinstance(data, dict):
        return None
    items = data.get("items")
    listed = items if isinstance(items, list) else []
    ids = [item.get("media_id") for item in listed if isinstance(item, dict)]
    return [media for media in ids if isinstance(media, str)]


def _gallery(items: list[str], post: dict[str, Any]) -> Media:
    metadata = post.get("media_metadata")
    known = metadata if isinstance(metadata, dict) else {}
    entries = [known.get(item) for item in items or known]
    urls = (_gallery_image(entry) for entry in entries)
    first = next((url for url in urls if url), None)
    return Media(image_url=first, gallery_size=len(entries) or None)


def _gallery_image(entry: Any) -> str | None:
    """The address of one valid gallery entry; an animation has a gif, a film has neither."""
    if not isinstance(entry, dict) or entry.get("status") != "valid":
        return None
    source = entry.get("s")
    if not isinstance(source, dict):
        return None
    address = text(source.get("u")) or text(source.get("gif"))
    parts = split(unescaped(address)) if address else None
    return None if parts is None else _full_size(parts)


def _full_size(parts: SplitResult) -> str:
    """The original behind Reddit's signed and resized preview."""
    if parts.hostname == "preview.redd.it":
        return urlunsplit(("https", "i.redd.it", parts.path, "", ""))
    return urlunsplit(parts._replace(fragment=""))


def _direct(parts: SplitResult) -> str | None:
    """The address itself where it is an image's."""
    if _on(parts, ("wikipedia.org", "wikimedia.org")) and parts.path.startswith("/wiki/"):
        return None  # a page about a file, though it ends in .jpg
    if _on(parts, ("imgur.com",)):
        match = _IMGUR_ID.fullmatch(parts.path)
        if match and (parts.hostname == "i.imgur.com" or _suffix(parts) in _STILL):
            return f"https://i.imgur.com/{match[1]}{_suffix(parts) or '.jpg'}"
    if _suffix(parts) in _STILL or (_on(parts, _FILE_HOSTS) and len(parts.path) > 1):
        return _full_size(parts)
    return None


def _preview(post: dict[str, Any], parts: SplitResult) -> str | None:
    if post.get("post_hint") != "image" and not _on(parts, _IMAGE_SITES):
        return None
    preview = post.get("preview")
    images = preview.get("images") if isinstance(preview, dict) else None
    first = images[0] if isinstance(images, list) and images else None
    source = first.get("source") if isinstance(first, dict) else None
    address = text(source.get("url")) if isinstance(source, dict) else None
    address_parts = split(unescaped(address)) if address else None
    return None if address_parts is None else _full_size(address_parts)


def _imgur_page(parts: SplitResult) -> str | None:
    """The file behind `imgur.com/ID`, which holds exactly one image (albums have other paths).

    Ids have 5 or 7 signs; Imgur serves an image's still whatever suffix is asked for.
    """
    if parts.hostname not in ("imgur.com", "www.imgur.com", "m.imgur.com"):
        return None
    match = _IMGUR_ID.fullmatch(parts.path.rstrip("/"))
    if match is None or match[1].lower() in _IMGUR_WORDS:
        return None
    return f"https://i.imgur.com/{match[1]}.jpg"
