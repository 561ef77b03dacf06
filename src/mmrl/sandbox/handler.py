"""Answers of the sandbox to each path, faults included."""

import base64
import json
import secrets
import time
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qs

from pydantic import ValidationError

from mmrl.catalog.fullnames import ACCOUNT, POST, SUBREDDIT, bare_id
from mmrl.errors import InputError
from mmrl.sandbox.api import image_answer, listing, thing
from mmrl.sandbox.archive import Luck, Refusal
from mmrl.sandbox.credentials import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME
from mmrl.sandbox.faults import Faults, Kind
from mmrl.sandbox.images import content_type, placeholder
from mmrl.sandbox.state import HttpServer
from mmrl.sandbox.wire import Wire

_TOKEN_SECONDS = 3_600
_MOST_IDS = 100
_CLOCK = {"set", "advance", "speed"}
_LAST_MOMENT = 253_402_300_800.0  # the year 10000


class Handler(Wire):
    """Answers the requests of one connection: Reddit's API, images, the sandbox's own paths."""

    server: HttpServer

    def respond(self) -> None:
        """Answers as the path says."""
        path = self.path_pieces
        match path[:1]:
            case ["sandbox"]:
                self._admin(path[1:])
            case ["img"]:
                self._image(path[1:])
            case ["api"] if path[1:2] in (["posts"], ["subreddits"]):
                self._archive(path[1:])
            case _:
                self._reddit(path)

    # Reddit's API

    def _reddit(self, path: list[str]) -> None:
        sandbox = self.server.sandbox
        used, remaining, left = sandbox.count_request()
        with sandbox.lock:
            sandbox.requests[_endpoint(path)] += 1
        fault = sandbox.misfortune.meets(sandbox.now)
        self.limits = {
            "Date": formatdate(sandbox.now, usegmt=True),
            "X-Ratelimit-Used": str(used),
            "X-Ratelimit-Remaining": f"{max(remaining, 0):.1f}",
            "X-Ratelimit-Reset": f"{left:.0f}",
        }
        if remaining < 0:
            self.send_json(429, {"message": "Too Many Requests", "error": 429}, **self.limits)
        elif fault is None or not self._suffer(fault, path):
            self._route(path)

    def _route(self, path: list[str]) -> None:
        if path == ["api", "v1", "access_token"]:
            return self._token()
        if not self._authorised():
            return self.send_json(
                401,
                {"message": "Unauthorized", "error": 401},
                **{"WWW-Authenticate": 'Bearer realm="reddit", error="invalid_token"'},
            )
        sandbox = self.server.sandbox
        api, now = sandbox.api, sandbox.now
        asked = self.query.get("limit", "25")
        if not asked.isdecimal():
            return self.bad_request(f"limit is {asked[:20]!r}")
        limit = max(1, min(int(asked[:6]), _MOST_IDS))
        match path:
            case ["api", "v1", "me"]:
                self.send_json(200, {"name": USERNAME, "id": "sandbox", "created_utc": now})
            case ["r", names, "new"]:
                self._listing(names, now, limit)
            case ["r", name, "about"]:
                self._about(name, now)
            case ["r", names, "comments"]:
                self.send_json(200, api.comments(self._subreddits(names), now, limit))
            case ["api", "info"]:
                self._info(now)
            case ["comments", post_id] | ["r", _, "comments", post_id]:
                post = api.find(post_id, now)
                if post is None:
                    return self.missing()
                page = listing([thing(POST, api.post(post, now))], None)
                self.send_json(200, [page, listing([], None)])
            case ["api", "user_data_by_account_ids"]:
                self._accounts(now)
            case ["user", name, "about"]:
                user = api.user(name, now)
                if user is None:
                    return self.missing()
                if sandbox.misfortune.suspended(user["id"]):
                    user = {"name": name, "is_suspended": True, "total_karma": 0}
                self.send_json(200, thing(ACCOUNT, user))
            case _:
                self.missing()
        return None

    def _token(self) -> None:
        sent = self.headers.get("Authorization", "").removeprefix("Basic ")
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if not secrets.compare_digest(sent.encode(), expected.encode()):
            return self.send_json(401, {"message": "Unauthorized", "error": 401})
        body = self.body.decode("utf-8", "replace")
        form = {name: values[-1] for name, values in parse_qs(body).items()}
        if form.get("grant_type") == "password" and (
            form.get("username") != USERNAME or form.get("password") != PASSWORD
        ):
            return self.send_json(200, {"error": "invalid_grant"})
        token = secrets.token_urlsafe(24)
        self.server.sandbox.tokens.add(token)
        answer = {"access_token": token, "token_type": "bearer", "scope": "*"}
        return self.send_json(200, {**answer, "expires_in": _TOKEN_SECONDS})

    def _authorised(self) -> bool:
        token = self.headers.get("Authorization", "").partition(" ")[2]
        return token in self.server.sandbox.tokens

    def _subreddits(self, names: str) -> list[int]:
        """The numbers of subreddits joined by +; those Reddit would hide are left out."""
        api, faults = self.server.sandbox.api, self.server.sandbox.misfortune.faults
        asked = api.subreddit_names() if names == "all" else names.split("+")
        hidden = {name.lower() for name in [*faults.private, *faults.banned, *faults.renamed]}
        return api.numbers(name for name in asked if name.lower() not in hidden)

    def _closed(self, name: str) -> bool:
        """Answers for one subreddit that can't be shown; false where it can."""
        sandbox = self.server.sandbox
        faults = sandbox.misfortune.faults
        lower = name.lower()
        renamed = {old.lower(): new for old, new in faults.renamed.items()}
        if lower in {closed.lower() for closed in faults.private}:
            self.send_json(403, {"reason": "private", "message": "Forbidden", "error": 403})
        elif lower in {closed.lower() for closed in faults.banned}:
            self.send_json(404, {"reason": "banned", "message": "Not Found", "error": 404})
        elif lower in renamed or not sandbox.api.numbers([name]):
            place = f"{sandbox.url}/subreddits/search?q={renamed.get(lower, name)}"
            self.send_json(302, {}, Location=place)
        else:
            return False
        return True

    def _listing(self, names: str, now: float, limit: int) -> None:
        sandbox = self.server.sandbox
        if names != "all" and "+" not in names and self._closed(names):
            return
        page = sandbox.api.new(
            self._subreddits(names),
            now,
            limit,
            self.query.get("after"),
            self.query.get("before"),
            sandbox.misfortune.held_back,
        )
        doubled = []
        for child in page["data"]["children"]:
            doubled += [child] * (2 if sandbox.misfortune.doubles() else 1)
        page["data"]["children"] = doubled
        self.send_json(200, page)

    def _info(self, now: float) -> None:
        sandbox = self.server.sandbox
        if "sr_name" in self.query:
            numbers = self._subreddits(self.query["sr_name"].replace(",", "+"))
            things = [
                thing(SUBREDDIT, sandbox.api.about(number, now)) for number in numbers[:_MOST_IDS]
            ]
            return self.send_json(200, listing(things, None))
        ids = self.query.get("id", "").split(",")[:_MOST_IDS]
        held_back = sandbox.misfortune.held_back
        return self.send_json(200, sandbox.api.info(ids, now, held_back))

    def _about(self, name: str, now: float) -> None:
        if not self._closed(name):
            api = self.server.sandbox.api
            self.send_json(200, thing(SUBREDDIT, api.about(api.numbers([name])[0], now)))

    def _accounts(self, now: float) -> None:
        sandbox = self.server.sandbox
        ids = [item for item in self.query.get("ids", "").split(",") if item][:_MOST_IDS]
        known = [item for item in ids if not sandbox.misfortune.suspended(bare_id(ACCOUNT, item))]
        accounts = sandbox.api.accounts(known, now)
        self.send_json(200, accounts) if accounts else self.missing()

    # Arctic Shift's API

    def _archive(self, path: list[str]) -> None:
        sandbox = self.server.sandbox
        ids = len(self.query.get("ids", "").split(",")) if "ids" in self.query else 0
        sandbox.count_archive_request(ids)
        with sandbox.lock:
            sandbox.requests["/".join(["archive", *path])] += 1
        self.limits = {
            "Date": formatdate(sandbox.now, usegmt=True),
            "X-RateLimit-Remaining": "1000",
            "X-RateLimit-Reset": "60",
        }
        fault = sandbox.misfortune.meets(sandbox.now)
        if fault is not None and self._suffer(fault, ["archive"]):
            return None
        luck = Luck(sandbox.misfortune.faults, sandbox.misfortune.luck())
        try:
            answer = sandbox.archive.answer(path, self.query, sandbox.now, luck)
        except Refusal as refusal:
            return self.send_json(refusal.status, {"data": None, "error": str(refusal)})
        if path == ["posts", "search"]:
            with sandbox.lock:
                sandbox.sent.update({post["id"] for post in answer["data"]})
        return self.send_json(200, answer)

    # Images

    def _image(self, path: list[str]) -> None:
        sandbox = self.server.sandbox
        with sandbox.lock:
            sandbox.requests["img"] += 1
        faults = sandbox.misfortune.faults.images
        fault = sandbox.misfortune.meets(sandbox.now) if faults else None
        if fault is not None and self._suffer(fault, ["img"]):
            return None
        if path == ["removed.png"]:
            return self.send_bytes(200, placeholder(), "image/png")
        post = sandbox.api.find(path[0].removesuffix(".jpg"), sandbox.now) if path else None
        answers = "gone" if post is None else image_answer(post)
        data = post.image() if post is not None and answers == "shown" else None
        if answers == "placeholder":
            return self.send_json(302, {}, Location=f"{sandbox.url}/img/removed.png")
        if data is None:
            return self.missing()
        return self.send_bytes(200, data, content_type(data))

    # Whoever runs it

    def _admin(self, path: list[str]) -> None:
        sandbox = self.server.sandbox
        try:
            body = json.loads(self.body) if self.body else None
            match path, self.command:
                case ["clock"], "GET":
                    pass
                case ["clock"], "POST":
                    if not isinstance(body, dict) or not _CLOCK & set(body):
                        raise InputError(
                            'Expected {"set": EPOCH}, {"advance": SECONDS} or {"speed": NUMBER}.'
                        )
                    if "speed" in body:
                        sandbox.speed = max(0.0, float(body["speed"]))
                    moment = float(body.get("set", sandbox.now)) + float(body.get("advance", 0))
                    if not 0 <= moment < _LAST_MOMENT:
                        raise InputError(f"{moment} is no time: expected seconds since 1970.")
                    sandbox.now = moment
                case ["truth"], "GET":
                    return self.send_json(200, sandbox.world.truth().to_pydict())
                case ["faults"], "POST":
                    sandbox.misfortune.set(Faults.model_validate(body or {}))
                    return self.send_json(200, sandbox.misfortune.faults.model_dump())
                case ["stats"], "GET":
                    return self.send_json(200, sandbox.stats())
                case _:
                    return self.missing()
        except (ValidationError, InputError, ValueError, TypeError) as error:
            return self.bad_request(str(error))
        world = sandbox.world
        times = {"start": world.start.timestamp(), "end": world.end.timestamp()}
        return self.send_json(
            200,
            {
                "now": sandbox.now,
                "monotonic": time.monotonic(),
                "speed": sandbox.speed,
                **times,
                "posts": len(world.posts),
            },
        )

    def _suffer(self, fault: Kind, path: list[str]) -> bool:
        """Answers with a fault; false where the true answer is to follow."""
        sandbox = self.server.sandbox
        faults = sandbox.misfortune.faults
        if fault == "slow":
            time.sleep(faults.slow_seconds)
            return False
        if fault == "expired_token":
            if _endpoint(path) == "api/v1/access_token":
                return False
            sandbox.tokens.discard(self.headers.get("Authorization", "").partition(" ")[2])
            return False
        if fault == "reset":
            self.reset()
            return True
        if fault == "cut":
            self.cut = True
            return False
        if fault == "garbled":
            self.send_bytes(200, b"<html>Our CDN was unable to reach our servers", "text/html")
            return True
        if fault == "server_error":
            status = sandbox.misfortune.server_error()
            self.send_json(status, {"message": HTTPStatus(status).phrase, "error": status})
            return True
        wait = {"Retry-After": str(faults.retry_after_seconds)} if fault == "too_many" else {}
        self.send_json(429, {"message": "Too Many Requests", "error": 429}, **wait)
        return True


def _endpoint(path: list[str]) -> str:
    """A path without the names in it, for counting."""
    match path:
        case ["r", _, *rest]:
            return "/".join(["r/*", *(rest[:1])])
        case ["user" | "comments" as first, *_]:
            return f"{first}/*"
        case _:
            return "/".join(path)
