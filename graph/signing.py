"""Tokens that clients carry and cannot forge: recommendation ids and page cursors.

A token is `base64url(JSON) . base64url(HMAC-SHA256 of kind and JSON, 128 bits)`; the kind keeps a cursor from passing
as a recommendation id.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache
from typing import Any

import orjson

from graph.errors import SettingsError
from graph.settings import Settings

RECOMMENDATION = "recommendation"
"""Kind of the ids of lists."""
SIGNATURE_BYTES = 16
LONGEST_TOKEN = 2048


class TokenError(Exception):
    """The token is malformed or was not signed here."""


class Signer:
    """Signs and reads tokens with one key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def sign(self, kind: str, content: dict[str, Any]) -> str:
        """Return the token that carries `content`."""
        body = orjson.dumps(content)
        return f"{_encode(body)}.{_encode(self._signature(kind, body))}"

    def read(self, kind: str, token: str) -> dict[str, Any]:
        """Return what a token of this kind carries.

        Raises:
            TokenError: malformed, of another kind, or not signed with this key.
        """
        body_text, _, signature_text = token[:LONGEST_TOKEN].partition(".")
        try:
            body, signature = _decode(body_text), _decode(signature_text)
        except (binascii.Error, ValueError):
            raise TokenError("the token is malformed") from None
        if not hmac.compare_digest(self._signature(kind, body), signature):
            raise TokenError("the token was not made here")
        return orjson.loads(body)

    def has_signed(self, kind: str, token: str) -> bool:
        """Whether a token of this kind was signed with this key."""
        try:
            self.read(kind, token)
        except TokenError:
            return False
        return True

    def _signature(self, kind: str, body: bytes) -> bytes:
        return hmac.digest(self._key, kind.encode() + b"\x00" + body, "sha256")[:SIGNATURE_BYTES]


def signer_of(settings: Settings) -> Signer | None:
    """Return what signs and reads tokens, None where there is no key yet."""
    try:
        return _signer(settings.signing_secret())
    except SettingsError:
        return None


@lru_cache(maxsize=4)
def _signer(key: str) -> Signer:
    return Signer(key)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
