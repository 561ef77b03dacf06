"""Panels of one draft, made on request: reasons, hours, and posts like it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmrl.home.ranker import Ranker
from mmrl.report.sentences import removals_in_short
from mmrl.serving.answers.similar import By
from mmrl.serving.inputs.drafts import Drafts
from mmrl.web.facts.community import rules_of
from mmrl.web.facts.posts import Outcome, Post, posts_of
from mmrl.web.form import Asked
from mmrl.web.pages import draw, wording
from mmrl.web.pages.templates import is_partial, page
from mmrl.web.requests.problems import Problem
from mmrl.web.service import Service

router = APIRouter(include_in_schema=False)
_NEIGHBOURS = 8
_WAYS: dict[By, str] = {
    "both": "picture and title",
    "image": "picture",
    "title": "title",
}
_Told = TypeVar("_Told")


@dataclass(frozen=True)
class One:
    """One draft, and the ranker that tells of it."""

    asked: Asked
    drafts: Drafts
    ranker: Ranker


@router.get("/why")
async def why(request: Request) -> Response:
    """What each kind of input adds or takes, and what each word of the title is worth."""
    one = _one(request)
    explanation = await _ask(request, partial(one.ranker.why, one.drafts))
    return _panel(request, one, "why", {"why": draw.reasons(explanation)})


@router.get("/when")
async def hours(request: Request) -> Response:
    """Weekday by hour, in the reader's time zone."""
    one = _one(request)
    table = await _ask(request, partial(one.ranker.when, one.drafts, one.asked.zone))
    return _panel(request, one, "when", {"table": table, "cells": draw.heat(table)})


@router.get("/squares")
async def squares(request: Request) -> Response:
    """What each square of the picture adds, drawn over it."""
    one = _one(request)
    occlusion = await _ask(request, partial(one.ranker.squares, one.drafts))
    context = {
        "id": one.asked.pictures[0],
        "squares": draw.squares(occlusion),
        "most_telling": draw.most_telling(occlusion),
        "trust": occlusion.trust,
    }
    return _panel(request, one, "squares", context)


@router.get("/stay")
async def stay(request: Request) -> Response:
    """The chance that moderators or filters remove it, and what would change that."""
    one = _one(request)
    service: Service = request.app.state.service
    removal = await _ask(request, partial(one.ranker.removal, one.drafts))
    judged = (await run_in_threadpool(service.shown)).evaluation.removals
    changes = [
        {"says": change.says, "chance": wording.chance(change.chance)} for change in removal.changes
    ]
    name = one.asked.communities[0]
    context = {
        "stay": removal,
        "changes": changes,
        "record": None if judged is None else removals_in_short(judged),
        "rules": await run_in_threadpool(rules_of, service.catalog, name, service.now()),
    }
    return _panel(request, one, "stay", context)


@router.get("/like")
async def like(request: Request, by: By | None = None, everywhere: bool = False) -> Response:
    """The nearest matured posts, what became of them, and whether such posts tell anything."""
    one = _one(request)
    chosen: By = by or ("both" if one.asked.pictures else "title")

    service: Service = request.app.state.service

    def work() -> tuple[list[Post], str]:
        near = one.ranker.similar(one.drafts, by=chosen, everywhere=everywhere, k=_NEIGHBOURS)
        told = one.ranker.agreement(by=chosen, everywhere=everywhere)
        outcomes = [Outcome(n.post_id, n.subreddit, n.score, n.percentile) for n in near]
        return posts_of(service.catalog, outcomes), told.sentence

    posts, told = await _ask(request, work)
    return _panel(
        request,
        one,
        "like",
        {
            "posts": posts,
            "told": told,
            "by": chosen,
            "everywhere": everywhere,
            "ways": _WAYS if one.asked.pictures else {"title": _WAYS["title"]},
        },
    )


def _one(request: Request) -> One:
    """The draft that the address says.

    Raises:
        Problem: it says several, or none, or its picture is forgotten.
    """
    service: Service = request.app.state.service
    asked = Asked.of_query(request.query_params)
    if len(asked.titles) != 1 or len(asked.communities) != 1 or len(asked.pictures) > 1:
        raise Problem(
            422, "This tells of one draft: one title, one community, and one picture at most."
        )
    looked_up = asked.find(service.pictures)
    if looked_up.forgotten:
        raise Problem(404, "The picture is no longer in memory: choose it again.")
    return One(asked, asked.drafts(looked_up.pictures, service.now()), service.champion.current)


async def _ask(request: Request, work: Callable[[], _Told]) -> _Told:
    service: Service = request.app.state.service
    return await service.gate.run(request, work)


def _panel(request: Request, one: One, name: str, context: dict[str, Any]) -> Response:
    """A part of the page where htmx asks for one; else a page of its own."""
    part = f"{name}.html.j2"
    context |= {"here": "/", "asked": one.asked, "part": part, "back": one.asked.query()}
    return page(request, part if is_partial(request) else "panel.html.j2", context)
