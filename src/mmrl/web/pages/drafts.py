"""The pages: drafts and their ranking, pictures, communities' names, the token."""

from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from mmrl.errors import UserError
from mmrl.images.image import ImageFacts
from mmrl.report.thumbnails import UnshowableError, small_jpeg
from mmrl.runtime.foreign_text import shown
from mmrl.serving.communities import search
from mmrl.serving.inputs.drafts import ImageFile
from mmrl.web.form import ZONES, Asked
from mmrl.web.pages import wording
from mmrl.web.pages.record import record, record_in
from mmrl.web.pages.rows import Rows, rows_of
from mmrl.web.pages.templates import page
from mmrl.web.pictures import Picture
from mmrl.web.requests.access import COOKIE
from mmrl.web.requests.problems import Problem, problem_of
from mmrl.web.requests.uploads import MOST_PICTURES, Form, Upload, read_form
from mmrl.web.service import Service

router = APIRouter(include_in_schema=False)


@router.get("/")
async def drafts(request: Request) -> Response:
    """The form as the address says it, and the ranking where it is complete."""
    service: Service = request.app.state.service
    asked = Asked.of_query(request.query_params)
    looked_up = asked.find(service.pictures)
    wrong, ranking, problem = list(asked.missing), None, None
    if asked.complete:
        try:
            combined = asked.drafts(looked_up.pictures, service.now())
            ranker = service.champion.current

            def work() -> Rows:
                ranked = ranker.rank(combined)
                return rows_of(ranker, ranked, asked, looked_up.pictures, _against(request))

            ranking = await service.gate.run(request, work)
        except Exception as error:
            problem = problem_of(error)
            wrong.append(problem.detail)
    return await _form(request, asked, wrong, ranking, problem)


@router.post("/")
async def ask(request: Request) -> Response:
    """Keeps the form's pictures, and leads to the address that says all of the form."""
    service: Service = request.app.state.service
    try:
        async with read_form(request, service.memory, service.settings.images.max_bytes) as form:
            asked = Asked.of(form.texts)
            added, refused = await _keep(request, service, form)
    except Problem as problem:
        return await _form(request, Asked(), [problem.detail], None, problem)
    ids = [*asked.pictures, *(picture.id for picture in added)]
    asked = replace(asked, pictures=tuple(dict.fromkeys(ids)))
    if refused:
        status = form.refused[0].status if form.refused else 422
        return await _form(request, asked, refused, None, Problem(status, " ".join(refused)))
    return RedirectResponse(f"/?{asked.query()}#ranking", 303)


@router.post("/pictures")
async def add_pictures(request: Request) -> Response:
    """Keeps pictures, and gives their places in the form."""
    service: Service = request.app.state.service
    try:
        async with read_form(request, service.memory, service.settings.images.max_bytes) as form:
            added, refused = await _keep(request, service, form)
    except Problem as problem:
        context = {"kept": [], "refused": [problem.detail]}
        return page(request, "added.html.j2", context, problem.status, problem.headers)
    kept = set(form.texts.get("picture", ()))
    new = [picture for picture in added if picture.id not in kept]
    return page(request, "added.html.j2", {"kept": new, "refused": refused})


@router.get("/pictures/{id}")
async def picture(request: Request, id: str) -> Response:
    """A draft's picture, small."""
    service: Service = request.app.state.service
    kept = service.pictures.get(id)
    if kept is None:
        raise Problem(404, "That picture is no longer in memory: choose it again.")
    try:
        small = await run_in_threadpool(small_jpeg, kept.data)
    except UnshowableError as error:
        raise Problem(422, f"The picture can't be shown: {error}.") from error
    return Response(small, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get("/communities/search")
async def search_communities(request: Request) -> Response:
    """The communities whose name has a text in it, as choices of the form."""
    service: Service = request.app.state.service
    known = await run_in_threadpool(service.known)
    chosen = request.query_params.getlist("community")
    matches = search(known, request.query_params.get("q", ""), chosen)
    context = {"offered": matches, "chosen": {name.lower() for name in chosen}}
    return page(request, "communities_list.html.j2", context)


@router.get("/login")
async def login(request: Request, next: str = "/") -> Response:
    """Asks for the token."""
    return page(request, "login.html.j2", {"next": next, "wrong": False})


@router.post("/login")
async def take_token(request: Request) -> Response:
    """Lets a person in who gives the token."""
    service: Service = request.app.state.service
    async with read_form(request, service.memory, 0) as form:
        there = form.text("next")
        if not service.access.is_token(form.text("token")):
            return page(request, "login.html.j2", {"next": there, "wrong": True}, 401)
    # A path of ours alone: never another site's address.
    path = there if there.startswith("/") and not there.startswith(("//", "/\\")) else "/"
    answer = RedirectResponse(path, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, service.access.cookie(), httponly=True, samesite="strict", secure=secure
    )
    return answer


def _before(service: Service, pictures: list[Picture]) -> list[str]:
    """Which pictures were posted before, and what became of them."""
    before = service.champion.current.posted_before([picture.facts for picture in pictures])
    named = zip(pictures, before, strict=True)
    return [wording.posted_before(picture.name, posts) for picture, posts in named if posts]


def _against(request: Request) -> int:
    text = request.query_params.get("against", "")
    return int(text) if text.isdecimal() and len(text) < 4 else 1


async def _form(
    request: Request,
    asked: Asked,
    wrong: list[str],
    ranking: Rows | None,
    problem: Problem | None,
) -> Response:
    service: Service = request.app.state.service
    known = await run_in_threadpool(service.known)
    told = await run_in_threadpool(record, service)
    chosen = {name.lower() for name in asked.communities}
    names = {one.name.lower() for one in known}
    looked_up = asked.find(service.pictures)
    before = await run_in_threadpool(_before, service, looked_up.pictures)
    context: dict[str, Any] = {
        "here": "/",
        "asked": asked,
        "kept": looked_up.pictures,
        "forgotten": looked_up.forgotten,
        "offered": search(known, "", asked.communities),
        "chosen": chosen,
        "others": [name for name in asked.communities if name.lower() not in names],
        "zones": ZONES,
        "most_pictures": MOST_PICTURES,
        "wrong": [shown(sentence, 400) for sentence in wrong],
        "ranking": ranking,
        "notes": [*before, *ranking.notes] if ranking else before,
        "record": told,
        "of_communities": [record_in(service, name) for name in asked.communities if ranking],
    }
    status, headers = (problem.status, problem.headers) if problem else (200, {})
    return page(request, "drafts.html.j2", context, status, headers)


async def _keep(request: Request, service: Service, form: Form) -> tuple[list[Picture], list[str]]:
    """Keeps the usable pictures of a form; says of each other one why it is none."""
    ranker = service.champion.current  # whose ranking then need not read them again

    def probed(upload: Upload) -> ImageFacts:
        (facts,) = ranker.read_images([ImageFile(shown(upload.name, 80), upload.data)])
        return facts

    added, refused = [], [problem.detail for problem in form.refused]
    for upload in form.files:
        try:
            facts = await service.gate.run(request, partial(probed, upload))
        except UserError as error:
            refused.append(str(error))
        else:
            added.append(service.pictures.add(upload.name, upload.data, facts))
    return added, refused
