"""Sessions of people who logged in with a key: a random token, which the graph knows by its hash; ends with its key."""

from __future__ import annotations

import re
import secrets
from typing import Final

from graph.connection import Graph
from graph.errors import InputError
from graph.keys import Key, hash_of

TTL_S: Final = 8 * 3_600
"""A session lasts this long, or as long as its key if that ends sooner."""
MOST_PER_KEY: Final = 100
"""Sessions of one key at a time; one more ends the oldest."""
SWEPT: Final = 1_000
"""Sessions that have expired and are removed when another begins."""
SHAPE: Final = re.compile(r"kiths_[0-9a-f]{64}")


def begin(graph: Graph, key: Key) -> str:
    """Begin a session with the scopes of a key and return its token, which cannot be read again.

    Raises:
        InputError: the key has been revoked or has expired meanwhile.
        UnavailableError: Neo4j does not answer.
    """
    token = f"kiths_{secrets.token_hex(32)}"
    asked = {"keyId": key.key_id, "hash": hash_of(token), "ttlMs": TTL_S * 1_000}
    begun, *_ = graph.write_many(
        [
            ("sessions.begin", asked),
            ("sessions.limit", {"keyId": key.key_id, "most": MOST_PER_KEY}),
            ("sessions.sweep", {"limit": SWEPT}),
        ]
    )
    if not begun:
        raise InputError("the key is unknown, expired or revoked")
    return token


def find(graph: Graph, token: str) -> Key | None:
    """Return the key that a session acts for; None when the session or its key has ended. One read of the graph.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    if not SHAPE.fullmatch(token):
        return None
    rows = graph.read("sessions.find", hash=hash_of(token))
    if not rows:
        return None
    return Key(rows[0]["keyId"], frozenset(rows[0]["scopes"]), rows[0]["label"], rows[0]["expiresInS"])


def end(graph: Graph, token: str) -> None:
    """End a session; ending it again changes nothing."""
    graph.write("sessions.end", hash=hash_of(token))
