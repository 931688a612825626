"""Request bodies: strict JSON, declared as such, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Request, current_app

from graph.errors import MalformedError
from graph.strict_json import parse

OPTIONAL_BODY = "kith_optional_body"
View = TypeVar("View", bound=Callable[..., Any])


def optional_body(view: View) -> View:
    """Mark a view whose request may come without a body; that counts as an empty object."""
    setattr(view, OPTIONAL_BODY, True)
    return view


class UnsupportedBodyError(Exception):
    """The body is not declared as plain JSON."""


class StrictRequest(Request):
    """A request whose `get_json` takes `application/json` only and parses it strictly."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the parsed body; the arguments are Flask's and change nothing.

        Raises:
            UnsupportedBodyError: another content type, or a content encoding.
            MalformedError: not strict JSON, or shorter than its Content-Length (the server does not look).
        """
        if self._may_be_empty() and not self.get_data(cache=True) and not self.content_length:
            return {}
        if self.mimetype != "application/json":
            raise UnsupportedBodyError("send the body as application/json")
        if self.headers.get("Content-Encoding", "identity") != "identity":
            raise UnsupportedBodyError("send the body without a content encoding")
        raw = self.get_data(cache=True)
        if len(raw) < (self.content_length or 0):
            raise MalformedError("the body is shorter than its Content-Length")
        parsed = parse(raw)
        if parsed is None:
            raise MalformedError("the body is null")
        return parsed

    def _may_be_empty(self) -> bool:
        view = current_app.view_functions.get(self.endpoint or "")
        return bool(getattr(view, OPTIONAL_BODY, False))
