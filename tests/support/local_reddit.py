"""A few lines of Reddit's API on loopback, answering what a test puts into it.

PRAW itself talks to it, so requests, tokens, paging and errors are the real ones.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import praw

from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from tests.support.loopback import Answers, listening


@dataclass
class LocalReddit:
    """What the server answers from, and what it was asked.

    Attributes:
        posts: submissions by id, in any order; `hidden` ones are absent from every answer.
        users: accounts by fullname; others are suspended or deleted.
        odd_users: fullnames that make the whole request for accounts fail.
        private: subreddits that are forbidden, alone or within a multireddit.
        status: answer everything with this status instead.
        broken: answer listings with this JSON instead.
        requests: paths asked for, without the one for the token.
    """

    posts: dict[str, dict[str, Any]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    odd_users: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    subscribers: dict[str, int] = field(default_factory=dict)
    status: int = 200
    token_status: int = 200
    broken: Any = None
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def connect(self, **options: Any) -> praw.Reddit:
        urls = {"oauth_url": self.url, "reddit_url": self.url}
        return connect(client_id="id", client_secret="secret", **urls, **options)

    def source(self) -> RedditSource:
        return RedditSource(self.connect())

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        self.requests.append(path)
        if self.status != 200:
            return self.status, {"message": "no", "error": self.status}
        if self.broken is not None:
            return 200, self.broken
        if path.endswith("/new"):
            return self._new(path.split("/")[-2].split("+"), query)
        if path == "/api/info":
            return 200, self._info(query["id"].split(","))
        ids = query["ids"].split(",")
        if self.odd_users.intersection(ids):
            return 400, {"message": "Bad Request", "error": 400}
        known = {name: self.users[name] for name in ids if name in self.users}
        return (200, known) if known else (404, {"message": "Not Found", "error": 404})

    def _new(self, subreddits: list[str], query: dict[str, str]) -> tuple[int, Any]:
        if self.private.intersection(subreddits):
            return 403, {"reason": "private", "message": "Forbidden", "error": 403}
        shown = [post for post in self.posts.values() if post["subreddit"] in subreddits]
        shown = sorted(shown, key=lambda post: -post["created_utc"])[:1000]
        names = [post["name"] for post in shown]
        start = names.index(query["after"]) + 1 if "after" in query else 0
        page = shown[start : start + 100]
        more = page[-1]["name"] if len(shown) > start + 100 else None
        return 200, listing([("t3", post) for post in page], more)

    def _info(self, names: list[str]) -> Any:
        found = []
        for name in names:
            if name.startswith("t5_") and name in self.subscribers:
                found.append(("t5", {"name": name, "subscribers": self.subscribers[name]}))
            post = self.posts.get(name.removeprefix("t3_"))
            if post is not None and post["id"] not in self.hidden:
                found.append(("t3", post))
        return listing(found, None)


def listing(children: list[tuple[str, Any]], after: str | None) -> dict[str, Any]:
    data = [{"kind": kind, "data": child} for kind, child in children]
    return {"kind": "Listing", "data": {"children": data, "after": after}}


@contextmanager
def serve() -> Iterator[LocalReddit]:
    """Runs one on a free port for as long as the block lasts."""
    local = LocalReddit()

    class Handler(Answers):
        def _send(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = {"access_token": "x", "token_type": "bearer", "expires_in": 3600, "scope": "*"}
            self._send(local.token_status, token if local.token_status == 200 else {"error": 401})

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._send(*local.answer(parts.path, query))

    with listening(Handler) as port:
        local.url = f"http://127.0.0.1:{port}"
        yield local
