"""The application: made by `create_app`; `wsgi` is what the server calls in each of its processes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from apiflask import APIFlask
from flask import Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from api import ending, errors, monitoring, openapi
from api.bodies import StrictRequest
from api.keyring import SCOPE_ATTRIBUTE, SESSION_ATTRIBUTE, ForbiddenError, admit, is_from_here
from api.routes import BLUEPRINTS
from api.services import Services, services
from api.turns import Turns
from graph import logs
from graph.settings import Settings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Application(APIFlask):
    """A Flask application whose requests have strict JSON bodies."""

    request_class = StrictRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: none is asynchronous, and asking each at every request takes its time."""
        return func


def create_app(settings: Settings) -> Application:
    """Return the application; nothing is opened before the first request."""
    app = Application("api", title="Kith", version="1", docs_path=None, spec_path=None, static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        **openapi.CONFIG,
    )
    app.url_map.merge_slashes = False
    app.extensions["kith"] = Services(settings)
    errors.register(app)
    monitoring.register(app)
    app.before_request(_begin)
    app.before_request(_authorize)
    app.after_request(_end)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    openapi.register(app)
    app.wsgi_app = Turns(app.wsgi_app, settings.api_threads)
    return app


def wsgi() -> Application:
    """Make the application of one server process; reads the settings once.

    Raises:
        SettingsError: a setting is unknown, malformed or missing.
    """
    logs.set_up()
    settings = Settings.load()
    settings.signing_secret()
    app = create_app(settings)
    ending.listen(app.extensions["kith"].ending)
    app.extensions["kith"].warm_up()
    return app


def _begin() -> None:
    asked = request._get_current_object()
    given = asked.headers.get("X-Request-Id", "")
    g.request_id = given if given and REQUEST_ID.fullmatch(given) else os.urandom(8).hex()
    if (asked.content_length or 0) > asked.max_content_length:
        raise RequestEntityTooLarge(f"the body is larger than {asked.max_content_length} bytes")


def _authorize() -> None:
    """Let in whom the view's scope lets in; a view that names no scope lets nobody in."""
    asked = request._get_current_object()
    if asked.endpoint is None:
        return
    kith = services()
    view = current_app.view_functions[asked.endpoint]
    needed = getattr(view, SCOPE_ATTRIBUTE, None)
    if needed is None:
        raise ForbiddenError("this address names no scope")
    if needed == "local":
        if is_from_here(asked):
            return
        needed = "read"
    if needed != "public":
        takes_session = getattr(view, SESSION_ATTRIBUTE, False)
        g.key = admit(asked, needed, kith.keyring, kith.within, session=takes_session)


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = errors.request_id()
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
