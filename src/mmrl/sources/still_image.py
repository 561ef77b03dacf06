"""The still image of a post, found in the post's own JSON; no page is opened.

Looked for in the order of certainty: a gallery names its images, a direct link is one, a preview is
an image that Reddit itself fetched, and an Imgur page of a single image names its file.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit, urlunsplit

from mmrl.sources.fields import text, unescaped

_STILL = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_MOVING = frozenset({".gifv", ".mp4", ".webm", ".mov", ".m4v"})
_VIDEO_HOSTS = (
    *("v.redd.it", "youtube.com", "youtu.be", "vimeo.com", "streamable.com", "gfycat.com"),
    *("redgifs.com", "tiktok.com", "twitch.tv", "dailymotion.com"),
)
_VIDEO_HINTS = ("hosted:video", "rich:video")
_FILE_HOSTS = ("i.redd.it", "i.reddituploads.com")  # every address there is an image
# Sites where a page shows one image, so that Reddit's preview of the page is that image.
# Elsewhere (a newspaper...) the preview is an illustration, not what was posted.
_PICTURE_SITES = (
    *("flickr.com", "flic.kr", "500px.com", "deviantart.com", "artstation.com"),
    *("instagram.com", "redd.it", "reddituploads.com", "commons.wikimedia.org"),
)
_PREVIEWS = ("preview.redd.it", "external-preview.redd.it")
_TITLED = re.compile(r"/(?:[^/]*-)?v0-([A-Za-z0-9]+\.[A-Za-z]+)")  # TITLE-v0-ID.EXT
# Imgur's own hosts, compared whole: i.stack.imgur.com is another site with ids of its own.
_IMGUR_FILES = ("i.imgur.com", "i.imgur.io")
_IMGUR_PAGES = tuple(f"{front}imgur.{end}" for front in ("", "www.", "m.") for end in ("com", "io"))
# An id has 5 or 7 signs; one letter more asks for a small copy, as `_d` does.
_IMGUR_ID = r"([A-Za-z0-9]{5}|[A-Za-z0-9]{7})(?:[sbtmlh]|_d)?"
_IMGUR_FILE = re.compile(rf"/(?:download/)?{_IMGUR_ID}(\.[A-Za-z]+)?")
_IMGUR_PAGE = re.compile(rf"/(?:[rt]/[^/]+/|download/)?(?:[^/]*-)?{_IMGUR_ID}(\.[A-Za-z]+)?")
_IMGUR_WORDS = frozenset(  # paths that look like an id, or like one with a letter more
    (
        *("about", "account", "album", "albums", "apps", "desktop", "emerald", "gallery", "hello"),
        *("image", "images", "inbox", "jobs", "login", "media", "memegen", "press", "privacy"),
        *("random", "register", "removed", "rules", "search", "signin", "store", "terms", "topic"),
        *("topics", "trending", "upload", "user", "vidgif"),
    )
)


# Nearly every picture's address, and nearly every address of Reddit's copy of one: of so plain a
# form that taking them apart, and putting them together again, changes nothing.
_PICTURE = re.compile(r"https://i\.redd\.it/[A-Za-z0-9]+\.(?:jpe?g|png|gif|webp)").fullmatch
_COPY = re.compile(
    r"https://(?:external-)?preview\.redd\.it/[A-Za-z0-9_-]+\.[a-z]+\?[A-Za-z0-9_=&%.-]+"
).fullmatch
# A text's own page, and what a post has that is no text only.
_OWN_PAGE = re.compile(r"https://www\.reddit\.com/r/\w+/comments/\w+/\w*/?")
_NOT_TEXT = frozenset({"gallery_data", "is_gallery", "media_metadata", "post_hint"})


class _Address(SplitResult):
    """An address in parts, whose host is worked out once."""

    @cached_property
    def hostname(self) -> str | None:
        return super().hostname


@dataclass(frozen=True)
class Media:
    """The media of a post.

    Attributes:
        image_url: the still image to learn from; None for texts, links and videos.
        preview_url: Reddit's own copy of it, for when the image is gone; None where there is none.
        is_video: whether it is a video.
        gallery_size: how many images a gallery lists; None for anything else.
    """

    image_url: str | None = None
    preview_url: str | None = None
    is_video: bool = False
    gallery_size: int | None = None


def find_media(post: dict[str, Any]) -> Media:
    """The media of a post; for a crosspost those of its parent."""
    parents = post.get("crosspost_parent_list")
    if isinstance(parents, list) and parents and isinstance(parents[-1], dict):
        post = parents[-1]
    address = text(post.get("url_overridden_by_dest")) or text(post.get("url")) or ""
    if _is_text(post, address):  # as most are, told before the address is taken apart
        return Media()
    if _is_picture(post, address):
        return Media(image_url=address, preview_url=_signed_copy(post, address))
    parts = _in_media_page(split(unescaped(address)))
    items = _gallery_items(post)
    if items is not None or post.get("is_gallery") is True or "/gallery/" in _reddit_path(parts):
        return _gallery(items or [], post)
    if _is_video(post, parts):
        return Media(is_video=True)
    if post.get("is_self") is True or parts is None:
        return Media()
    signed = _signed_preview(post)
    shown = signed if _shows_what_was_posted(post, parts) else None
    image = _direct(parts) or (_full_size(shown) if shown else None) or _imgur_page(parts)
    if image is None:
        return Media()
    copy = parts if parts.hostname in _PREVIEWS else signed
    return Media(image_url=image, preview_url=_copy(copy, image))


def split(address: str) -> SplitResult | None:
    """An http(s) address in parts; None for anything else."""
    try:
        parts = _Address(*urlsplit(address))
        host = parts.hostname
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and host else None


def _on(parts: SplitResult, hosts: tuple[str, ...]) -> bool:
    """True where the address is on one of the hosts, or on a subdomain of one."""
    if parts.netloc.isascii() and not any(known in parts.netloc.lower() for known in hosts):
        return False  # which is so of most, and known sooner than their host
    host = (parts.hostname or "").rstrip(".")
    return any(host == known or host.endswith("." + known) for known in hosts)


def _suffix(parts: SplitResult) -> str:
    path = parts.path
    name = (unquote(path) if "%" in path else path).rstrip("/").rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if stem and dot and suffix else ""


def _reddit_path(parts: SplitResult | None) -> str:
    return parts.path if parts is not None and _on(parts, ("reddit.com",)) else ""


def _is_text(post: dict[str, Any], address: str) -> bool:
    """True where a post is certainly a text and nothing else."""
    return (
        post.get("is_self") is True
        and post.get("is_video") is not True
        and post.keys().isdisjoint(_NOT_TEXT)
        and _OWN_PAGE.fullmatch(address) is not None
    )


def _is_picture(post: dict[str, Any], address: str) -> bool:
    """True where a post is certainly one picture that Reddit keeps."""
    return (
        _PICTURE(address) is not None
        and post.get("is_self") is not True
        and post.get("is_video") is not True
        and post.get("is_gallery") is not True
        and post.get("post_hint") not in _VIDEO_HINTS
        and not isinstance(post.get("gallery_data"), dict)
    )


def _is_video(post: dict[str, Any], parts: SplitResult | None) -> bool:
    if post.get("is_video") is True or post.get("post_hint") in _VIDEO_HINTS:
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
    sources = (_gallery_image(entry) for entry in entries)
    first = next((source for source in sources if source), None)
    size = len(entries) or None
    if first is None:
        return Media(gallery_size=size)
    image = _full_size(first)
    return Media(image_url=image, preview_url=_copy(first, image), gallery_size=size)


def _gallery_image(entry: Any) -> SplitResult | None:
    """The address of one valid gallery entry; an animation has a gif, a film has neither."""
    if not isinstance(entry, dict) or entry.get("status") != "valid":
        return None
    source = entry.get("s")
    if not isinstance(source, dict):
        return None
    address = text(source.get("u")) or text(source.get("gif"))
    return split(unescaped(address)) if address else None


def _copy(parts: SplitResult | None, image: str) -> str | None:
    """The address of Reddit's signed copy of an image, where it is another than the image's."""
    if parts is None or parts.hostname not in _PREVIEWS:
        return None
    address = urlunsplit(parts._replace(fragment=""))
    return None if address == image else address


def _full_size(parts: SplitResult) -> str:
    """The original behind Reddit's signed and resized preview.

    What stands before `-v0-` is the post's title; i.redd.it knows the id alone.
    """
    if parts.hostname in ("preview.redd.it", "i.redd.it"):
        titled = _TITLED.fullmatch(parts.path)
        if titled or (parts.hostname == "preview.redd.it" and parts.path.count("/") == 1):
            path = f"/{titled[1]}" if titled else parts.path
            return urlunsplit(("https", "i.redd.it", path, "", ""))
    return urlunsplit(parts._replace(fragment=""))


def _in_media_page(parts: SplitResult | None) -> SplitResult | None:
    """The image's own address where Reddit's page around it (reddit.com/media?url=) was posted."""
    if _reddit_path(parts).rstrip("/") != "/media" or parts is None:
        return parts
    inner = parse_qs(parts.query).get("url")
    return split(inner[0]) if inner else parts


def _direct(parts: SplitResult) -> str | None:
    """The address itself where it is an image's."""
    if _on(parts, ("wikipedia.org", "wikimedia.org")) and parts.path.startswith("/wiki/"):
        return None  # a page about a file, though it ends in .jpg
    if parts.hostname in _IMGUR_FILES or (
        parts.hostname in _IMGUR_PAGES and _suffix(parts) in _STILL
    ):
        match = _IMGUR_FILE.fullmatch(parts.path)
        if match:
            return _imgur_file(match)
    if _suffix(parts) in _STILL or (parts.hostname in _FILE_HOSTS and len(parts.path) > 1):
        return _full_size(parts)
    return None


def _shows_what_was_posted(post: dict[str, Any], parts: SplitResult) -> bool:
    """Whether Reddit's preview of a post's address is the image that was posted."""
    return (
        post.get("post_hint") == "image"
        or _on(parts, _PICTURE_SITES)
        or parts.hostname in (*_IMGUR_PAGES, *_IMGUR_FILES)
    )


def _signed_preview(post: dict[str, Any]) -> SplitResult | None:
    """The address of the largest preview in a post's JSON, in parts."""
    address = _preview(post)
    return split(address) if address else None


def _signed_copy(post: dict[str, Any], image: str) -> str | None:
    """The address of the largest preview, where it is Reddit's copy of an image."""
    address = _preview(post)
    if address is None or _COPY(address):
        return address
    return _copy(split(address), image)


def _preview(post: dict[str, Any]) -> str | None:
    """The address of the largest preview in a post's JSON."""
    preview = post.get("preview")
    images = preview.get("images") if isinstance(preview, dict) else None
    first = images[0] if isinstance(images, list) and images else None
    source = first.get("source") if isinstance(first, dict) else None
    address = text(source.get("url")) if isinstance(source, dict) else None
    return unescaped(address) if address else None


def _imgur_page(parts: SplitResult) -> str | None:
    """The file behind a page of one image: imgur.com/ID, /TITLE-ID, /r/SUBREDDIT/ID, /t/TAG/ID.

    Albums have other paths. Imgur serves an image's still whatever suffix is asked for.
    """
    if parts.hostname not in _IMGUR_PAGES:
        return None
    match = _IMGUR_PAGE.fullmatch(parts.path.rstrip("/"))
    if match is None or parts.path.strip("/").lower() in _IMGUR_WORDS:
        return None
    return _imgur_file(match)


def _imgur_file(match: re.Match[str]) -> str:
    """The full-size file of an id; a small copy `ID_d.webp` may be of any format."""
    small = match[0].rpartition(".")[0].endswith("_d")
    suffix = (match[2] or "").lower()
    return f"https://i.imgur.com/{match[1]}{suffix if suffix in _STILL and not small else '.jpg'}"
