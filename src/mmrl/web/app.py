"""The application: every route, the guard before them, and what starts and ends with the server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import mmrl
from mmrl.errors import MmrlError
from mmrl.web import api, health
from mmrl.web.facts import posts
from mmrl.web.measures import Measured, Measures
from mmrl.web.pages import community_pages, drafts, panels, record, reference
from mmrl.web.pages.templates import problem_page
from mmrl.web.requests.guard import Guard
from mmrl.web.requests.problems import Problem, problem_of, wants_page
from mmrl.web.schemas import RankRequest
from mmrl.web.service import Service

_CHAMPION_SECONDS = 20.0  # between two looks for a new champion
_log = logging.getLogger(__name__)


def make_app(service: Service, champion_seconds: float = _CHAMPION_SECONDS) -> ASGIApp:
    """The server's application.

    Args:
        champion_seconds: between two looks for a new champion.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(_watch(service, champion_seconds))
        try:
            yield
        finally:
            watch.cancel()
            await run_in_threadpool(service.gate.close)

    app = FastAPI(
        title="mmrl",
        version=mmrl.__version__,
        description="Predicts how drafts of image posts would do on Reddit, and ranks them.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.openapi = partial(_document, app.openapi)  # type: ignore[method-assign]
    app.state.service = service
    app.state.measures = Measures(service)
    for part in (api, health, drafts, panels, posts, community_pages, record, reference):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=str(files("mmrl.web") / "static")), "static")
    for error in (Exception, MmrlError, Problem, HTTPException, RequestValidationError):
        app.add_exception_handler(error, _answer)
    # Outside of everything, so that answers to errors that nobody foresaw pass through as well.
    return Measured(Guard(app, service.access), app.state.measures)


def _document(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The OpenAPI document, with the type of the JSON that stands in a form."""
    document = make()
    schema = RankRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"]["RankRequest"] = schema
    return document


async def _answer(request: Request, error: Exception) -> Response:
    problem = _problem(request, error)
    if wants_page(request):
        return await run_in_threadpool(problem_page, request, problem)
    return problem.answer()


def _problem(request: Request, error: Exception) -> Problem:
    if isinstance(error, RequestValidationError):
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'][1:])) or 'the request'}: {item['msg']}"
            for item in error.errors()
        )
        return Problem(422, f"The request is not as expected: {wrong}. /docs says what is.")
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return Problem(404, f"There is nothing at {request.url.path}: / has the page.")
        return Problem(error.status_code, str(error.detail), dict(error.headers or {}))
    return problem_of(error)


async def _watch(service: Service, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await run_in_threadpool(service.champion.refresh)
        except Exception:  # whatever it is, the page goes on with the version at hand
            _log.exception("Looking for a new champion failed.")
