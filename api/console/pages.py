"""The pages of the console; those on plans are in `api/console/plans.py`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response, current_app, g, redirect, render_template, request, send_from_directory
from werkzeug.exceptions import NotFound

from api import errors
from api.answers import checked_id
from api.console import access, words
from api.keyring import COOKIE, ForbiddenError, UnauthenticatedError, scope
from api.services import services
from graph import cascade_reads
from graph.values import now_ms

console = APIBlueprint("console", __name__, url_prefix="/console", template_folder="templates", enable_openapi=False)
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
LISTED: Final = 50
TOLD: Final = 25
"""Newest shares of a cascade that its page lists."""

for name in ("money", "count", "number", "moment", "amount"):
    console.add_app_template_filter(getattr(words, name), name)


@console.after_request
def _guard(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@console.errorhandler(Exception)
def _failed(error: Exception) -> Response:
    """Show an error as a page; who is not logged in comes to the login."""
    response = errors.handle(error)
    if response.status_code < HTTPStatus.BAD_REQUEST:
        return response
    if isinstance(error, UnauthenticatedError) and request.method == "GET":
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # A strict cookie does not come along from another site's link; it does when our own page asks again.
            return Response('<!doctype html><meta http-equiv="refresh" content="0"><title>Kith</title>')
        return redirect_to(f"{access.LOGIN_PATH}?next={words.quoted(request.full_path.rstrip('?'))}")
    problem: dict[str, Any] = response.get_json(force=True)
    page = Response(render_template("problem.html", problem=problem), status=response.status_code)
    if "Retry-After" in response.headers:
        page.headers["Retry-After"] = response.headers["Retry-After"]
    return page


@console.get("/login")
@scope("public")
def login() -> Response:
    """Show the form that takes a key."""
    return _login_page()


@console.post("/login")
@scope("public")
def log_in() -> Response:
    """Trade a key for a session."""
    kith = services()
    access.check_form(kith, request.cookies.get(access.LOGIN_COOKIE, ""))
    try:
        token = access.log_in(kith, request.form.get("key", "").strip())
    except (UnauthenticatedError, ForbiddenError) as error:
        return _login_page(str(error), errors.handle(error).status_code)
    return access.keep(redirect_to(access.landing(request.form.get("next", ""))), token)


@console.post("/logout")
@scope("read", session=True)
def log_out() -> Response:
    """End the session."""
    kith = services()
    access.check_form(kith, request.cookies.get(COOKIE, ""))
    return access.log_out(kith, redirect_to(access.LOGIN_PATH))


@console.get("/")
@scope("read", session=True)
def home() -> Response:
    """Lead to the first page."""
    return redirect_to("/console/cascades")


@console.get("/cascades")
@scope("read", session=True)
def cascades() -> Response:
    """Show the cascades that grow."""
    return page("cascades.html", **_listed())


@console.get("/cascades/rows")
@scope("read", session=True)
def cascade_rows() -> Response:
    """Return the rows of that page alone, for its script."""
    return page("rows.html", **_listed())


@console.get("/cascade/<share_id>")
@scope("read", session=True)
def cascade(share_id: str) -> Response:
    """Show one cascade; its script tells how it goes on."""
    graph = services().graph
    found = cascade_reads.cascade(graph, checked_id(share_id, "shareId"), now_ms=now_ms())
    who = {share["shareId"]: share["userId"] for share in found["shares"]}
    newest = sorted(found["shares"], key=lambda share: share["occurredAt"] or "", reverse=True)[:TOLD]
    timeline = cascade_reads.timeline(graph, found["shareId"])
    return page("cascade.html", cascade=found, newest=newest, who=who, timeline=timeline)


@console.get("/static/<path:name>")
@scope("public")
def static(name: str) -> Response:
    """Return a script, a style or a picture."""
    return send_from_directory(f"{current_app.root_path}/console/static", name)


@console.get("/<path:path>")
@scope("read", session=True)
def nothing(path: str) -> Response:
    """Say that there is no such page, as a page."""
    raise NotFound(path)


def redirect_to(place: str) -> Response:
    """Return the answer that leads elsewhere, always asked for with GET."""
    return redirect(place, HTTPStatus.SEE_OTHER)  # type: ignore[return-value]


def _listed() -> dict[str, Any]:
    asked = {name: request.args.get(name, "").strip() for name in ("itemId", "campaignId")}
    found = cascade_reads.growing(
        services().graph,
        now_ms=now_ms(),
        limit=LISTED,
        active="all" not in request.args,
        item_id=checked_id(asked["itemId"], "itemId") if asked["itemId"] else None,
        campaign_id=checked_id(asked["campaignId"], "campaignId") if asked["campaignId"] else None,
    )
    return {"cascades": found, "asked": asked, "all": "all" in request.args, "listed": LISTED}


def page(template: str, status: int = 200, **given: Any) -> Response:
    """Return a page for whoever is logged in."""
    token = access.form_token(services(), request.cookies.get(COOKIE, ""))
    return Response(render_template(template, csrf=token, key=g.key, **given), status=status)


def _login_page(problem: str = "", status: int = 200) -> Response:
    kith = services()
    nonce = access.new_nonce()
    wanted = request.form.get("next", request.args.get("next", ""))
    page = render_template("login.html", csrf=access.form_token(kith, nonce), problem=problem, next=wanted)
    return access.begin_login(Response(page, status=status), nonce)
