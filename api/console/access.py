"""Who may use the console: a key is traded for a session's cookie, and every form proves that a page of ours sent it.

A browser sends cookies along with whatever another site makes it send. `SameSite=Strict` keeps ours from that, and each
form holds a token besides, bound to the cookie, that no other site can read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from flask import Response, request

from api.keyring import COOKIE, ForbiddenError, UnauthenticatedError
from api.services import Services
from graph import keys, sessions
from graph.signing import TokenError

LOGIN_COOKIE: Final = "kith_login"
"""What the login form's token is bound to before there is a session."""
LOGIN_PATH: Final = "/console/login"
LOGIN_S: Final = 3_600
FORM: Final = "form"


def begin_login(response: Response, nonce: str) -> Response:
    """Send the login page with the cookie that its form is bound to."""
    _set(response, LOGIN_COOKIE, nonce, LOGIN_S, LOGIN_PATH)
    return response


def new_nonce() -> str:
    """Return what a login form is bound to: the cookie that is there, or a new one."""
    return request.cookies.get(LOGIN_COOKIE) or secrets.token_hex(16)


def log_in(kith: Services, text: str) -> str:
    """Return the token of a new session for a key.

    Raises:
        UnauthenticatedError: the key is not good.
        ForbiddenError: it may not read.
    """
    key = keys.authenticate(kith.graph, text) if keys.SHAPE.fullmatch(text) else None
    if key is None:
        raise UnauthenticatedError("the key is unknown, expired or revoked")
    if not key.allows("read"):
        raise ForbiddenError("the console needs a key with the scope read")
    return sessions.begin(kith.graph, key)


def keep(response: Response, token: str) -> Response:
    """Send a session's token to the browser, where no script can read it."""
    _set(response, COOKIE, token, sessions.TTL_S, "/")
    response.delete_cookie(LOGIN_COOKIE, path=LOGIN_PATH)
    return response


def log_out(kith: Services, response: Response) -> Response:
    """End the session, here at once and in other processes within two seconds."""
    token = request.cookies.get(COOKIE, "")
    if sessions.SHAPE.fullmatch(token):
        sessions.end(kith.graph, token)
        kith.keyring.forget(token)
    response.delete_cookie(COOKIE, path="/")
    return response


def form_token(kith: Services, owner: str) -> str:
    """Return the token for the forms of whoever holds the cookie `owner`."""
    return kith.signer.sign(FORM, {"of": _digest(owner)})


def check_form(kith: Services, owner: str) -> None:
    """Make sure that a form comes from a page that we sent to whoever holds the cookie `owner`.

    Raises:
        ForbiddenError: it does not.
    """
    site = request.headers.get("Origin")
    if site is not None and urlsplit(site).netloc != request.host:
        raise ForbiddenError("the form was sent by another site")
    try:
        content = kith.signer.read(FORM, request.form.get("csrf", ""))
    except TokenError:
        content = {}
    if not owner or not hmac.compare_digest(str(content.get("of", "")), _digest(owner)):
        raise ForbiddenError("the form is too old: go back, reload the page and send it again")


def landing(wanted: str) -> str:
    """Return where a login leads: to a page of the console, whatever the address asked for."""
    parts = urlsplit(wanted)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/console/") and "\\" not in wanted
    return wanted if is_ours and parts.path != LOGIN_PATH else "/console/cascades"


def _set(response: Response, name: str, value: str, seconds: int, path: str) -> None:
    is_secure = request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
    response.set_cookie(name, value, max_age=seconds, path=path, httponly=True, samesite="Strict", secure=is_secure)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
