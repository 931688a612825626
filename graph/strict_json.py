"""Strict JSON in, or a refusal; what passes here can be packed by the driver and sent back as JSON.

orjson refuses NaN, infinities, lone surrogates, bad UTF-8 and nesting beyond 1,024; what it lets pass and the graph
or a careful client would not (duplicate keys, NUL characters, numbers beyond 64 bits) is refused here. The API reads
its bodies by it, the stream consumer its entries.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from graph.errors import MalformedError


def parse(raw: bytes) -> Any:
    """Parse strict JSON.

    Raises:
        MalformedError: malformed, nested deeper than 254 levels, not UTF-8, with duplicate keys, NUL characters or
            numbers that neither 64-bit integers nor doubles hold.
    """
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {str(error)[:200]}") from None
    try:
        written = orjson.dumps(parsed)
    except orjson.JSONEncodeError:  # orjson writes 254 levels and reads 1,024
        raise MalformedError("nested too deep") from None
    if _may_repeat_keys(raw, written):
        _refuse_repeated_keys(raw)
    if b"\\u0000" in raw and _has_nul(parsed):
        raise MalformedError("a text has a NUL character")
    return parsed


def _may_repeat_keys(raw: bytes, written: bytes) -> bool:
    """Whether a key may stand twice in an object, which the parser drops in silence.

    Without a backslash every quote begins or ends a string, so equal counts before and after mean that no string,
    hence no key, was dropped. With one, nothing is known.
    """
    return b"\\" in raw or raw.count(b'"') != written.count(b'"')


def _refuse_repeated_keys(raw: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise MalformedError("a key stands twice in one object")
        return found

    try:
        json.loads(raw, object_pairs_hook=unique)
    except RecursionError:
        raise MalformedError("nested too deep") from None


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(_has_nul(each) for each in value)
