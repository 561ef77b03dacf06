"""The HTTP API, version 1: rank drafts; list communities, models and how predictions came out."""

import json
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from mmrl.errors import InputError
from mmrl.learning.registry.registry import Registry
from mmrl.runtime.foreign_text import shown
from mmrl.serving.inputs.drafts import ImageFile
from mmrl.web.requests.uploads import Form, read_form
from mmrl.web.schemas import PROBLEMS, CommunityFacts, RankAnswer, RankRequest, ScoresAnswer
from mmrl.web.service import Service

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
REQUEST = "#/components/schemas/RankRequest"
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["request"],
                "properties": {
                    "request": {"$ref": REQUEST},
                    "picture": {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "description": "JPEG, PNG, WebP, GIF, AVIF or BMP; none for posts "
                        "without one",
                    },
                },
            },
            "encoding": {"request": {"contentType": "application/json"}},
        }
    },
}


@router.post("/rank", openapi_extra={"requestBody": _BODY})
async def rank(request: Request) -> RankAnswer:
    """Ranks each picture with each title in each community at each hour, the best first.

    The body is a form: `request` holds JSON, and each `picture` a file.
    """
    service: Service = request.app.state.service
    async with read_form(request, service.memory, service.settings.images.max_bytes) as form:
        for problem in form.refused:
            raise problem
        asked = _asked(form)
        images = [ImageFile(shown(file.name, 80), file.data) for file in form.files]
        drafts = asked.drafts(images, service.now())
        ranker = service.champion.current

        def work() -> RankAnswer:
            return RankAnswer.of(ranker.rank(drafts), asked.most)

        return await service.gate.run(request, work)


@router.get("/communities")
async def communities(request: Request) -> list[CommunityFacts]:
    """The communities that posts are known of, the best known first."""
    service: Service = request.app.state.service
    known = await run_in_threadpool(service.known)
    return [CommunityFacts(**one.as_dict()) for one in known]


@router.get("/models")
async def models(request: Request) -> list[dict[str, Any]]:
    """Every version of the model with its metrics, oldest first; one is the champion."""
    service: Service = request.app.state.service
    return await run_in_threadpool(_versions, service)


@router.get("/scores")
async def scores(request: Request) -> ScoresAnswer:
    """How published predictions of the last four weeks' posts came out, day by day."""
    service: Service = request.app.state.service
    return ScoresAnswer(**(await run_in_threadpool(service.scores)).as_dict())


def _versions(service: Service) -> list[dict[str, Any]]:
    return [version.as_dict() for version in Registry(service.catalog.home).list()]


def _asked(form: Form) -> RankRequest:
    """The request of a form; raises InputError where it is not as expected."""
    text = form.text("request")
    if not text:
        raise InputError(
            "The form has no `request`, expected JSON such as "
            '{"titles": ["Lake at dawn"], "communities": ["EarthPorn"]}.'
        )
    try:
        return RankRequest.model_validate_json(text)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'request'}: {item['msg']}"
            for item in json.loads(error.json(include_input=False, include_url=False))
        )
        raise InputError(f"The form's `request` is not as expected: {wrong}.") from None
