"""``GET /metrics``: Prometheus text over counters that the server keeps anyway.

No label names a sandbox, a key or a path. All figures speak for this process.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mockserver import caches
from mockserver.control.endpoint import check_access, error_response
from mockserver.engine.totals import Outcome
from mockserver.errors import ControlError
from mockserver.http.exchange import Exchange
from mockserver.http.line_writer import LineHandler

INSTALL = "/metrics needs prometheus-client: pip install 'exchange-mockserver[metrics]'\n"
OUTCOME = ("provider", "operation", "status", "reason")


class Collector:
    """Reads the counters of an exchange when it is scraped."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def collect(self) -> Iterator[Any]:
        """Yields the metrics."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        sandboxes = self._exchange.sandboxes
        counted, faults = _totals(self._exchange)
        requests = CounterMetricFamily(
            "mockserver_requests", "Requests to providers.", labels=OUTCOME
        )
        for (provider, operation, status, reason), count in sorted(counted.items()):
            requests.add_metric((provider, operation, str(status), reason), count)
        yield requests
        counters = {
            "faults": ("Fault rules that had an effect on a request.", faults),
            "explanations_shed": (
                "Refused requests that were not explained, for lack of time.",
                sandboxes.default.explanation_budget.shed,
            ),
            "log_lines_dropped": ("Log lines that were not written.", _dropped_lines()),
        }
        for name, (about, value) in counters.items():
            yield CounterMetricFamily(f"mockserver_{name}", about, value=value)
        budget = sandboxes.budget
        gauges = {
            "sandboxes": ("Sandboxes, the default one included.", len(sandboxes)),
            "sandboxes_max": ("The most sandboxes there may be.", sandboxes.most),
            "memory_used_bytes": ("Journals and stored responses of all sandboxes.", budget.used),
            "memory_budget_bytes": ("The most of these (--memory-budget).", budget.limit),
            "caches_bytes": ("The caches of the process.", sum(caches.usage().values())),
        }
        for name, (about, value) in gauges.items():
            yield GaugeMetricFamily(f"mockserver_{name}", about, value=value)


def _totals(exchange: Exchange) -> tuple[Counter[Outcome], int]:
    """Returns requests by outcome, and applications of fault rules, of all sandboxes ever."""
    totals = exchange.sandboxes.default.journal.totals
    counted, faults = totals.requests(), totals.faults
    for sandbox in exchange.sandboxes:
        counts = sandbox.journal.counts
        with sandbox.lock:
            exact = [*counts.exact.items()]
            faults += sum(counts.applied_rules.values())
        for (provider, operation, status, reason, _), count in exact:
            counted[provider, operation, status, reason] += count
    return counted, faults


def _dropped_lines() -> int:
    handlers = logging.getLogger().handlers
    return sum(h.writer.dropped for h in handlers if isinstance(h, LineHandler))


def _rendered(exchange: Exchange) -> tuple[bytes, str]:
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

    registry = CollectorRegistry()
    registry.register(Collector(exchange))
    return generate_latest(registry), CONTENT_TYPE_LATEST


async def metrics(request: Request) -> Response:
    """Returns the metrics, to callers who may use the control API."""
    try:
        check_access(request)
    except ControlError as error:
        return error_response(error)
    try:
        content, media_type = await run_in_threadpool(_rendered, request.app.state.exchange)
    except ModuleNotFoundError:
        return PlainTextResponse(INSTALL, status_code=501)
    return Response(content, media_type=media_type)


routes = [Route("/metrics", metrics)]
