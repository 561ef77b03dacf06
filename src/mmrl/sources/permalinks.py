"""Addresses of Reddit posts' own pages: the post and the subreddit that they name."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_LONGEST = 2_000
_COMMENTS = re.compile(
    r"/(?:(?:r/(?P<subreddit>[^/\s]{1,64})|(?:u|user)/(?P<user>[^/\s]{1,64}))/)?"
    r"(?:comments|gallery)/(?P<post>[0-9a-z]{1,13})(?:/.*)?",
    re.IGNORECASE | re.DOTALL,
)
_BROKEN = re.compile(r"[\t\r\n]")  # what `urlsplit` would take out of a name
_SHORT = re.compile(r"/(?P<post>[0-9a-z]{4,13})/?")


@dataclass(frozen=True)
class PostPage:
    """A post's own page.

    Attributes:
        post_id: base 36, without the t3_ prefix.
        subreddit: its name; `u_NAME` for a user's own page; None where the address has none.
    """

    post_id: str
    subreddit: str | None


def post_page(address: str | None) -> PostPage | None:
    """The post whose page an address is, such as /r/aww/comments/17vabcd/a_cat/ or redd.it/17vabcd.

    None for any other address, also of a picture.
    """
    if not address or len(address) > _LONGEST or _BROKEN.search(address.strip()):
        return None
    try:
        host, path = _host_and_path(address.strip())
    except ValueError:
        return None
    if host in ("redd.it", "www.redd.it"):
        match = _SHORT.fullmatch(path)
        return None if match is None else PostPage(match["post"].lower(), None)
    if host and host != "reddit.com" and not host.endswith(".reddit.com"):
        return None
    match = _COMMENTS.fullmatch(path if path.startswith("/") else "/" + path)
    if match is None:
        return None
    user = match["user"]
    return PostPage(match["post"].lower(), f"u_{user}" if user else match["subreddit"])


def _host_and_path(address: str) -> tuple[str, str]:
    if address.startswith("/r/") and "?" not in address and "#" not in address:
        return "", address  # as nearly every post has it
    parts = urlsplit(address)
    return (parts.hostname or "").lower(), parts.path
