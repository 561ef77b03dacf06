"""The guard before every route: Host, Origin, token; and the headers of every answer."""

from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmrl.web.requests.access import COOKIE, TOKEN_VARIABLE, Access
from mmrl.web.requests.problems import Problem, wants_page

OPEN = frozenset({"/login", "/healthz", "/readyz"})  # told without a token, as is /static/
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Refuses what other pages, other names or strangers send, before anything else is done."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "no-cache, private")
            await send(message)

        request = Request(scope, receive)
        refused = self._refusal(request)
        if refused is None:
            await self._app(scope, receive, send_guarded)
        elif refused.status == 401 and request.method == "GET" and wants_page(request):
            there = quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
            await RedirectResponse(f"/login?next={there}", 303)(scope, receive, send_guarded)
        else:
            await refused.answer()(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Problem | None:
        headers = request.headers
        if not self._access.answers_to(headers.get("host")):
            return Problem(
                421,
                f"This server does not answer to the name {headers.get('host')!r}: ask for it by "
                "the address that it printed, or start it with --name and that name.",
            )
        if _from_elsewhere(request.method, headers):
            return Problem(403, "This came from another site's page, and is refused.")
        if request.url.path in OPEN or request.url.path.startswith("/static/"):
            return None
        if not self._access.lets_in(headers.get("authorization"), request.cookies.get(COOKIE)):
            return Problem(
                401,
                f"A token is needed: send `Authorization: Bearer` with that of {TOKEN_VARIABLE}.",
                {"WWW-Authenticate": "Bearer"},
            )
        return None


def _from_elsewhere(method: str, headers: Headers) -> bool:
    """Whether another site's page made a browser send this.

    A link to here from elsewhere is well: it only reads, and its answer stays with the reader.
    """
    site = headers.get("sec-fetch-site")
    if method in _SAFE_METHODS:
        return site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate"
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    return site not in (None, "same-origin", "none")
