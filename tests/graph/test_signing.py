from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from graph.signing import Signer, TokenError


def test_what_was_signed_is_read_again() -> None:
    signer = Signer("key")
    content = {"v": "m1", "t": 1, "s": 7}
    assert signer.read("recommendation", signer.sign("recommendation", content)) == content


def test_the_signature_is_hmac_sha256_of_kind_and_content() -> None:
    body, signature = Signer("key").sign("cursor", {"a": 1}).split(".")
    assert json.loads(base64.urlsafe_b64decode(body + "==")) == {"a": 1}
    expected = hmac.new(b"key", b'cursor\x00{"a":1}', hashlib.sha256).digest()[:16]
    assert base64.urlsafe_b64decode(signature + "==") == expected


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "!!!.???", "e30.", "e30.AAAAAAAAAAAAAAAAAAAAAA", "a" * 5000])
def test_what_was_not_signed_here_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        Signer("key").read("cursor", token)


def test_another_key_another_kind_and_a_changed_byte_are_refused() -> None:
    token = Signer("key").sign("cursor", {"a": 1})
    with pytest.raises(TokenError):
        Signer("other").read("cursor", token)
    with pytest.raises(TokenError):
        Signer("key").read("recommendation", token)
    body, signature = (bytearray(decoded(part)) for part in token.split("."))
    for part in (body, signature):
        for place in range(len(part)):
            part[place] ^= 1
            with pytest.raises(TokenError):
                Signer("key").read("cursor", f"{encoded(body)}.{encoded(signature)}")
            part[place] ^= 1


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
