"""The page's templates, with all that is not ours escaped."""

from functools import cache
from typing import Any

from fastapi import Request
from jinja2 import Environment
from starlette.responses import HTMLResponse

from mmrl.runtime.foreign_text import shown
from mmrl.runtime.templates import templates_of
from mmrl.web.pages import wording
from mmrl.web.requests.problems import Problem


@cache
def _environment() -> Environment:
    environment = templates_of("mmrl.web")
    environment.filters["shown"] = shown
    environment.filters["known_of"] = wording.known_of
    environment.filters["day"] = wording.day_of
    return environment


def page(
    request: Request,
    name: str,
    context: dict[str, Any],
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """A template as an answer; what every page tells is added."""
    service = request.app.state.service
    html = (
        _environment()
        .get_template(name)
        .render(
            here=context.pop("here", request.url.path),
            simulated=service.champion.current.simulated,
            version=service.champion.version,
            **context,
        )
    )
    return HTMLResponse(html, status, {"Vary": "HX-Request", **(headers or {})})


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("hx-request") == "true"


def problem_page(request: Request, problem: Problem) -> HTMLResponse:
    """A problem as a page, or as a part of one."""
    name = "problem_part.html.j2" if is_partial(request) else "problem.html.j2"
    return page(request, name, {"problem": problem}, problem.status, problem.headers)
