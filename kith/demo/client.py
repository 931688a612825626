"""The demo's way to the API: plain HTTP, as a shop's backend would call it."""

from __future__ import annotations

import urllib.parse
import urllib.request
from typing import Any

import orjson

TIMEOUT_S = 30.0


class Client:
    """Calls the API with a key."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._key = key

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the answer to a GET.

        Raises:
            urllib.error.HTTPError: the API answered with an error.
        """
        return self._send("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path, None)

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Return the answer to a POST.

        Raises:
            urllib.error.HTTPError: the API answered with an error.
        """
        return self._send("POST", path, orjson.dumps(body))

    def _send(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self._base_url}{path}", data=body, method=method)  # noqa: S310 loopback
        request.add_header("Authorization", f"Bearer {self._key}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return orjson.loads(answer.read() or b"{}")


def path_of(text: str) -> str:
    """Quote an id for use as one path segment."""
    return urllib.parse.quote(text, safe="")
