"""Errors as people and programs read them: a sentence on the page, or problem details."""

import logging
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mmrl.errors import MmrlError, NotFoundError, UserError

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """What went wrong with a request.

    Attributes:
        status: the HTTP status.
        detail: what was given, what was expected, what to do; sentences.
        headers: those of the answer besides.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def as_dict(self) -> dict[str, Any]:
        """The members of a problem document."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }

    def answer(self) -> Response:
        """The problem as a response."""
        return JSONResponse(self.as_dict(), self.status, self.headers, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """The problem that an error is to whoever asked.

    An error that nobody foresaw is logged, and told without what it says, which may be anything.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotFoundError):
        return Problem(404, str(error))
    if isinstance(error, UserError):
        return Problem(422, str(error))
    if isinstance(error, MmrlError):
        return Problem(503, str(error))
    _log.error("A request failed in a way that was not foreseen.", exc_info=error)
    return Problem(
        500, f"Something went wrong that was not foreseen ({type(error).__name__}); the log has it."
    )


def wants_page(request: Request) -> bool:
    """Whether an error is to be told on a page: a browser asks for one, outside the API."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get(
        "accept", ""
    )
