"""Measures for Prometheus: requests, the queue, the model, and how the home's work stands."""

from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmrl.errors import MmrlError
from mmrl.status import Survey, survey
from mmrl.times import parse_time
from mmrl.web.remembered import Remembered

if TYPE_CHECKING:
    from mmrl.web.service import Service

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.7, 1.0, 2.0, 4.0, 8.0, 15.0)


class Measures:
    """The measures of one server; nothing of them is kept outside of it."""

    def __init__(self, service: "Service") -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "mmrl_requests", "Requests by route and status.", ["route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "mmrl_request_seconds", "Seconds from a request to its answer's end.", ["route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(_Now(service))

    def count(self, route: str, status: int, seconds: float) -> None:
        """Takes a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them; slow once a minute."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is read when it is asked for."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._survey = Remembered(lambda: survey(service.catalog, service.settings, service.now()))

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        service = self._service
        yield GaugeMetricFamily("mmrl_queue", "Predictions that wait.", service.gate.waiting)
        refused = "Predictions refused since the start, as the queue was full."
        yield GaugeMetricFamily("mmrl_refused", refused, service.gate.refused)
        model = GaugeMetricFamily(
            "mmrl_model_info", "The version that answers.", labels=["version"]
        )
        model.add_metric([service.champion.version], 1)
        yield model
        age = (service.now() - parse_time(service.champion.trained_at)).total_seconds()
        yield GaugeMetricFamily("mmrl_model_age_seconds", "Since it was trained.", age)
        try:
            yield from _of_home(self._survey(), service)
        except MmrlError:
            return  # the home can't be read just now; its gauges are absent


def _of_home(home: Survey, service: "Service") -> Iterator[Metric]:
    pending = GaugeMetricFamily(
        "mmrl_pending", "What the next run of a stage would do.", labels=["stage"]
    )
    for row in home.stages:
        if row.pending is not None:
            pending.add_metric([row.stage], row.pending)
    yield pending
    lag = GaugeMetricFamily(
        "mmrl_collector_lag_seconds", "Since discovery last read up to now.", labels=["source"]
    )
    gaps = GaugeMetricFamily(
        "mmrl_gap_places", "Ids (or seconds) that gaps leave to ask for.", labels=["source"]
    )
    for live in home.live:
        gaps.add_metric([live.traits.label], live.left)
        if live.collector is not None and live.collector.polled_at is not None:
            seconds = (service.now() - live.collector.polled_at).total_seconds()
            lag.add_metric([live.traits.label], seconds)
    yield lag
    yield gaps
    week = service.scores().week
    if week is not None:
        inside = "Share of last week's outcomes inside the 80% interval."
        yield GaugeMetricFamily("mmrl_week_coverage", inside, week.coverage)
        error = "Mean absolute error of last week's published predictions."
        yield GaugeMetricFamily("mmrl_week_error", error, week.error)


class Measured:
    """Counts each request by its route's own path, never by what stands in the address."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = perf_counter()

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._measures.count(route, status, perf_counter() - began)
