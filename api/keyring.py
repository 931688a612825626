"""Who may ask: bearer keys and sessions, kept for two seconds so that a revocation works within five."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from flask import Request

from graph import keys, sessions
from graph.connection import Graph

KEPT_S = 2.0
KEPT_KEYS = 4096
SCOPE_ATTRIBUTE = "kith_scope"
"""Where a view carries its scope: one of `graph.keys.SCOPES`, `public`, or `local` (see `is_from_here`)."""
SESSION_ATTRIBUTE = "kith_session"
"""True on a view that takes a session's cookie in place of a key."""
COOKIE = "kith_session"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")

View = TypeVar("View", bound=Callable[..., object])


class UnauthenticatedError(Exception):
    """No key, or none that is good."""


class ForbiddenError(Exception):
    """The key's scopes do not allow it."""


class Keyring:
    """The keys and sessions seen lately by this process, by digest; one that is not good is remembered too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[bytes, tuple[float, keys.Key | None]] = {}

    def find(self, graph: Graph, text: str) -> keys.Key | None:
        """Return the key that `text` is or, as a session's token, acts for; None when it is not good.

        Asks the graph at most every `KEPT_S`.

        Raises:
            UnavailableError: the graph had to be asked and did not answer.
        """
        digest = _digest(text)
        now = self._clock()
        kept = self._seen.get(digest)
        if kept is not None and now < kept[0]:
            return kept[1]
        key = sessions.find(graph, text) if sessions.SHAPE.fullmatch(text) else keys.authenticate(graph, text)
        until = now + (KEPT_S if key is None else min(KEPT_S, key.expires_in_s))
        with self._lock:
            if len(self._seen) >= KEPT_KEYS:
                self._seen.clear()
            self._seen[digest] = (until, key)
        return key

    def forget(self, text: str) -> None:
        """Ask the graph again the next time."""
        with self._lock:
            self._seen.pop(_digest(text), None)


def scope(name: str, *, session: bool = False) -> Callable[[View], View]:
    """Mark a view with the scope that its callers need; a view without a mark is refused to everyone.

    Args:
        name: see `SCOPE_ATTRIBUTE`.
        session: whether the cookie of a session is as good as a key. Only for views that change nothing, or that check
            a token of their own (`api.console`): a browser sends a cookie along without being asked.
    """

    def mark(view: View) -> View:
        setattr(view, SCOPE_ATTRIBUTE, name)
        setattr(view, SESSION_ATTRIBUTE, session)
        return view

    return mark


def is_from_here(request: Request) -> bool:
    """Whether a process of this machine asks, itself and without a key: no proxy, no page in a browser, no other host.

    Only for what is no secret on this machine and must be told while Neo4j, which knows the keys, is away.
    """
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    return (
        (request.remote_addr or "") in ("127.0.0.1", "::1")
        and host.lower() in LOOPBACK_HOSTS
        and "Authorization" not in request.headers
        and not any(name in request.headers for name in PASSED_ON)
    )


def admit(
    request: Request, needed: str, keyring: Keyring, graph: Callable[[], Graph], *, session: bool = False
) -> keys.Key:
    """Return the caller's key if it allows `needed`.

    Raises:
        UnauthenticatedError: no key or session, or one that is malformed, unknown, expired or revoked.
        ForbiddenError: a good one without the scope.
    """
    text = credential(request, session=session)
    key = keyring.find(graph(), text)
    if key is None:
        raise UnauthenticatedError("the key is unknown, expired or revoked")
    if not key.allows(needed):
        raise ForbiddenError(f"the key lacks the scope {needed}")
    return key


def credential(request: Request, *, session: bool) -> str:
    """Return the key that a request brings, or the session's token where one will do.

    Raises:
        UnauthenticatedError: it brings none.
    """
    given = request.headers.get("Authorization")
    if given is None and session and sessions.SHAPE.fullmatch(token := request.cookies.get(COOKIE, "")):
        return token
    scheme, _, text = (given or "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not keys.SHAPE.fullmatch(text):
        raise UnauthenticatedError("send a key as Authorization: Bearer kith_...")
    return text


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
