"""Pages of communities: all of them, and one with its hours, subjects, removals and rules."""

import csv
import io
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmrl.runtime.foreign_text import cell
from mmrl.serving.communities import Community
from mmrl.serving.inputs.drafts import subreddit_name
from mmrl.serving.inputs.hours import zone_of
from mmrl.web.facts.community import Lately, lately
from mmrl.web.form import ZONES
from mmrl.web.pages import draw
from mmrl.web.pages.record import record_in
from mmrl.web.pages.templates import page
from mmrl.web.requests.problems import Problem
from mmrl.web.service import Service

router = APIRouter(include_in_schema=False)


@router.get("/communities")
async def all_communities(request: Request) -> Response:
    """Every community with what is known of it."""
    known = await run_in_threadpool(request.app.state.service.known)
    return page(request, "communities.html.j2", {"known": known})


@router.get("/communities/{name}.csv")
async def community_csv(request: Request, name: str, zone: str = "UTC") -> Response:
    """What a community's page tells: hours, subjects, titles' lengths, what did well, removals."""
    facts, recent = await run_in_threadpool(_lately, request.app.state.service, name, zone_of(zone))
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(["kind", "name", "time_zone", "posts", "median_percentile"])
    groups = [("hour", group, zone) for day in recent.hours for group in day]
    groups += [("subject", group, "") for group in recent.subjects]
    groups += [("title_length", group, "") for group in recent.lengths]
    for kind, group, of_zone in groups:
        table.writerow([kind, cell(group.name), of_zone, group.posts, _percent(group.median)])
    for post in recent.well:
        table.writerow(["did_well", cell(post.title), "", 1, _percent(post.percentile)])
    for removed_by, posts in recent.removed:
        table.writerow(["removed", cell(removed_by), "", posts, ""])
    table.writerow(["watched", "", "", recent.watched, ""])
    headers = {"Content-Disposition": f'attachment; filename="{facts.name}.csv"'}
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


@router.get("/communities/{name}")
async def one_community(request: Request, name: str, zone: str = "UTC") -> Response:
    """What did well there lately, its best hours, its removals and rules."""
    service: Service = request.app.state.service
    place = zone_of(zone)
    facts, recent = await run_in_threadpool(_lately, service, name, place)
    context = {
        "here": "/communities",
        "facts": facts,
        "recent": recent,
        "cells": draw.heat_of_groups(recent),
        "zone": zone,
        "zones": ZONES,
        "record": await run_in_threadpool(record_in, service, facts.name),
    }
    return page(request, "community.html.j2", context)


def _lately(service: Service, name: str, zone: ZoneInfo) -> tuple[Community, Lately]:
    lowered = subreddit_name(name).lower()
    facts = next((one for one in service.known() if one.name.lower() == lowered), None)
    if facts is None:
        raise Problem(404, f"No post of r/{name[:60]} is known; /communities lists those that are.")
    recent = lately(
        service.catalog, service.settings, service.now(), service.samples(), facts.name, zone
    )
    return facts, recent


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"
