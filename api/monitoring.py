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
    began_s = time.monotonic()
    metrics = services().metrics
    metrics.in_flight.inc()
    mine = g._get_current_object()
    mine.began_s, mine.metrics = began_s, metrics


def _end(response: Response) -> Response:
    # Each access through one of Flask's proxies takes its microsecond, and this is done for every request.
    mine, asked = g._get_current_object(), request._get_current_object()
    took_s = time.monotonic() - mine.began_s
    route = template(asked.url_rule.rule) if asked.url_rule is not None else "unmatched"
    method = asked.method if asked.method in METHODS else "other"
    mine.metrics.answered(route, method, response.status_code, took_s)
    if route not in FREQUENT or response.status_code >= FAILED:
        fields = {
            "requestId": mine.get("request_id", ""),
            "route": route,
            "method": method,
            "status": response.status_code,
            "durationMs": round(1000 * took_s, 2),
        }
        if "key" in mine:
            fields["keyId"] = mine.key.key_id
        log.info("%s %s %d", method, route, response.status_code, extra=fields)
    return response


def _leave(_: BaseException | None) -> None:
    if "metrics" in g:
        g.metrics.in_flight.dec()


@cache
def template(rule: str) -> str:
    """Return the template of a route as the documents write it: `/v1/users/{user_id}`."""
    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule)
