"""Every request is counted and written to the log as one line, after everything else is done with it."""

from __future__ import annotations

import logging
import re
import time
from functools import cache

from flask import Flask, Response, g, request

from api.services import services

log = logging.getLogger("kith.api.requests")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FREQUENT = frozenset({"/live", "/ready", "/metrics"})
"""Asked by machines every few seconds: the log holds those that failed only."""
FAILED = 400


def register(app: Flask) -> None:
    """Watch the requests of the application; the first hook to be registered sees all that the others do."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_leave)


def _begin() -> None:
    g.began_s = time.monotonic()
    metrics = services().metrics
    metrics.in_flight.inc()
    g.metrics = metrics


def _end(response: Response) -> Response:
    took_s = time.monotonic() - g.began_s
    route = template(request.url_rule.rule) if request.url_rule is not None else "unmatched"
    method = request.method if request.method in METHODS else "other"
    g.metrics.answered(route, method, response.status_code, took_s)
    if route not in FREQUENT or response.status_code >= FAILED:
        fields = {
            "requestId": g.get("request_id", ""),
            "route": route,
            "method": method,
            "status": response.status_code,
            "durationMs": round(1000 * took_s, 2),
        }
        if "key" in g:
            fields["keyId"] = g.key.key_id
        log.info("%s %s %d", method, route, response.status_code, extra=fields)
    return response


def _leave(_: BaseException | None) -> None:
    if "metrics" in g:
        g.metrics.in_flight.dec()


@cache
def template(rule: str) -> str:
    """Return the template of a route as the documents write it: `/v1/users/{user_id}`."""
    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule)
