"""Status and headers of a server's answer, judged before the body is read."""

from collections.abc import Iterable, Mapping

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.image import Refused
from mmrl.runtime.retry import IMAGES

_GONE = (404, 410)
_BLOCKED = 403  # also how hosts answer clients that they block for a while: worth a later run
_NO_LEARNING = {"noai", "noimageai"}
_WITH_VALUES = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; values of the same name on lines of their own."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
    return headers


def judge_status(status: int) -> Refused | None:
    """The refusal of an answer with this status; None for one that may give an image."""
    if status == 200:
        return None
    if status in _GONE:
        return Refused(Reason.IMAGE_GONE, f"HTTP {status}")
    transient = IMAGES.retries(status) or status == _BLOCKED
    return Refused(Reason.HTTP_ERROR, f"HTTP {status}", transient)


def judge_headers(headers: Mapping[str, str], images: ImageSettings) -> Refused | None:
    """The refusal of an answer with these headers; None for one whose body is read.

    Args:
        headers: as `read_headers` gives them.
    """
    if opted_out(headers.get("x-robots-tag", "")):
        return Refused(Reason.OPTED_OUT, f"X-Robots-Tag: {headers['x-robots-tag'][:100]}")
    length = headers.get("content-length", "")
    if length.isdecimal() and len(length) < 19 and int(length) > images.max_bytes:
        return Refused(Reason.TOO_MANY_BYTES, f"{length} bytes, {images.max_bytes} at most")
    return None


def opted_out(robots: str) -> bool:
    """True where an X-Robots-Tag asks that this program, or all, do not learn from the file.

    `noai` and `noimageai` are DeviantArt's words, which other hosts have taken up. Directives
    after a robot's name (`somebot: noai`) are for that robot.

    Args:
        robots: the header's value, one a line where it was sent several times.
    """
    for line in robots.lower().splitlines():
        robot = ""
        for part in line.split(","):
            name, colon, value = part.partition(":")
            if colon and name.strip() not in _WITH_VALUES:
                robot = name.strip()
            directive = value if colon else name
            if directive.strip() in _NO_LEARNING and robot in ("", "mmrl"):
                return True
    return False
