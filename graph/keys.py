"""API keys: `kith_<id>_<secret>`, shown once; the graph holds only the SHA-256 of the secret's 256 random bits."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graph.connection import Graph
from graph.errors import InputError, NotFoundError

SCOPES = ("ingest", "read", "admin")
DEFAULT_TTL_S = 90 * 86_400
LONGEST_TTL_S = 3650 * 86_400
LIST_LIMIT = 1000
PLAN_S = 60.0
SHAPE = re.compile(r"kith_(?P<key_id>[0-9a-f]{16})_(?P<secret>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Key:
    """Who asks, and what for."""

    key_id: str
    scopes: frozenset[str]
    label: str
    expires_in_s: float
    """Seconds of life left when the graph was asked, by the server's clock."""

    def allows(self, scope: str) -> bool:
        """Whether the key may be used for `scope`; `admin` may do everything."""
        return scope in self.scopes or "admin" in self.scopes


def create(graph: Graph, scopes: Iterable[str], ttl_s: float = DEFAULT_TTL_S, label: str = "") -> str:
    """Make a key that expires after `ttl_s` by the server's clock and return it; it cannot be read again.

    Raises:
        InputError: an unknown scope, none at all, or a lifetime that is not between 0 and ten years.
    """
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise InputError(f"scopes are {', '.join(SCOPES)}; at least one")
    if not 0 < ttl_s <= LONGEST_TTL_S:
        raise InputError("a key lives longer than 0 s and at most ten years")
    key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    graph.write(
        "keys.create", key_id=key_id, hash=hash_of(secret), scopes=wanted, label=label[:200], ttl_ms=int(ttl_s * 1000)
    )
    return f"kith_{key_id}_{secret}"


def authenticate(graph: Graph, text: str) -> Key | None:
    """Return the key that `text` is, None when it is malformed, unknown, wrong, expired or revoked.

    One read of the graph; a caller that keeps the answer must ask again within 5 s, so that a revocation works.
    """
    match = SHAPE.fullmatch(text)
    if match is None:
        return None
    rows = graph.read("keys.find", key_id=match["key_id"])
    expected = rows[0]["hash"] if rows else hash_of("")
    right = hmac.compare_digest(hash_of(match["secret"]), expected)
    if not (rows and right and rows[0]["live"]):
        return None
    return Key(match["key_id"], frozenset(rows[0]["scopes"]), rows[0]["label"], rows[0]["expiresInS"])


def plan(graph: Graph) -> None:
    """Have the server plan what every request with a key asks, so that no first caller has to wait for it.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    graph.read("keys.find", timeout_s=PLAN_S, key_id="0" * 16)


def revoke(graph: Graph, key_id: str) -> None:
    """End a key now; ending it again changes nothing.

    Raises:
        NotFoundError: there is no such key.
    """
    if not graph.write("keys.revoke", key_id=key_id):
        raise NotFoundError(f"there is no key {key_id}")


def list_keys(graph: Graph) -> list[dict[str, Any]]:
    """Return the newest 1,000 keys (`keyId label scopes revoked expired createdAt expiresAt`), never a hash."""
    return graph.read("keys.list", limit=LIST_LIMIT)


def hash_of(secret: str) -> str:
    """Return what the graph keeps of a secret; a random one of 256 bits needs no salt and no slow function."""
    return hashlib.sha256(secret.encode()).hexdigest()
