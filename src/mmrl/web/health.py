"""Health for those who watch the server: alive, ready, and measures."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmrl.web.requests.problems import problem_of

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """A model is loaded and the home can be read; else 503 with the reason."""
    from fastapi.responses import JSONResponse

    service = request.app.state.service
    try:
        await run_in_threadpool(service.catalog.count, "posts")
    except Exception as error:
        problem = problem_of(error)
        problem.status = 503
        return problem.answer()
    return JSONResponse({"status": "ready", "model_version": service.champion.version})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """All measures, as Prometheus reads them."""
    text = await run_in_threadpool(request.app.state.measures.text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
