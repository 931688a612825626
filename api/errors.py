"""Errors as RFC 9457 problems: the one place that knows which error is which HTTP status."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import orjson
from apiflask.exceptions import HTTPError
from flask import Flask, Response, g
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, NotFound

from api.bodies import UnsupportedBodyError
from api.keyring import ForbiddenError, UnauthenticatedError
from engine.errors import ArtifactError, DataError
from graph.errors import (
    AuthenticationError,
    ConflictError,
    InputError,
    MalformedError,
    NotFoundError,
    SchemaError,
    SettingsError,
    UnavailableError,
)
from graph.signing import TokenError
from workers.queue import QueueUnavailableError

log = logging.getLogger("kith.api")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
ERRORS_SHOWN = 100

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (MalformedError, 400),
    (UnauthenticatedError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (UnsupportedBodyError, 415),
    (TokenError, 422),
    (InputError, 422),
    (DataError, 422),
    (UnavailableError, 503),
    (QueueUnavailableError, 503),
    (AuthenticationError, 503),
    (SchemaError, 503),
    (SettingsError, 503),
    (ArtifactError, 503),
)
"""The first class that an error is an instance of decides; everything else is a 500 and goes to the log."""

QUIET = {503: "the service is not available at the moment; try again later"}
"""What outsiders read instead of the error's own words, which may name hosts."""


def register(app: Flask) -> None:
    """Answer every error of the application with a problem."""
    app.register_error_handler(Exception, handle)
    # APIFlask registers handlers of its own for these two; the most specific handler wins, so they are replaced.
    app.register_error_handler(HTTPException, handle)
    app.register_error_handler(HTTPError, handle)


def handle(error: Exception) -> Response:
    """Return the problem that tells the caller what went wrong."""
    if isinstance(error, HTTPError):
        return _from_apiflask(error)
    if isinstance(error, HTTPException):
        return _from_werkzeug(error)
    status = next((code for kind, code in STATUSES if isinstance(error, kind)), 500)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("a request failed", exc_info=error, extra={"requestId": request_id()})
        return problem(500, "an error on our side; its details are in the log under the request id")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("%s: %s", type(error).__name__, error, extra={"requestId": request_id()})
    extra = {"errors": error.errors} if isinstance(error, InputError) and error.errors else {}
    return problem(status, QUIET.get(status, str(error)), **extra)


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """Return a problem response; `members` are added to its body."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "requestId": request_id(),
        **members,
    }
    response = Response(orjson.dumps(body), status=status, mimetype=MEDIA_TYPE, headers=headers)
    if status in (429, 503):
        response.headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="kith"'
    return response


def request_id() -> str:
    """Return the id of the request that is handled, empty outside of one."""
    return str(g.get("request_id", "")) if g else ""


def field_errors(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> list[dict[str, str]]:
    """Return what each field did wrong: `pointer` is a JSON pointer (RFC 6901) into the input."""
    return [
        {"pointer": pointer((*prefix, *each["loc"])), "detail": each["msg"]}
        for each in error.errors(include_url=False, include_context=False, include_input=False)[:ERRORS_SHOWN]
    ]


def pointer(path: tuple[str | int, ...]) -> str:
    """Return the JSON pointer to a place."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _from_apiflask(error: HTTPError) -> Response:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        return problem(422, "the request breaks the schema", errors=field_errors(cause))
    return problem(error.status_code, str(error.message))


def _from_werkzeug(error: HTTPException) -> Response:
    status = error.code or 500
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "Location")}
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status=status, headers=kept)
    detail = "there is nothing at this address" if isinstance(error, NotFound) else error.description or ""
    return problem(status, detail, headers=kept)
