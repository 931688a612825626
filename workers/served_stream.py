"""The stream of served lists on the broker, bounded: the API adds, a task takes and acknowledges.

An entry holds some lists, as compressed JSON. What was taken and not acknowledged is taken again, so nothing is lost
by a worker that dies, and a list may come twice: its `recommendationId` tells. What is trimmed before anybody took it
is lost and counted. Every function raises `RedisError` or `OSError` when the broker is away.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
import redis
from redis.exceptions import ResponseError

from graph.settings import Settings
from workers.event_stream import connect

NAME: Final = "kith:served"
GROUP: Final = "kith"
FIELD: Final = "lists"
MOST_ENTRIES: Final = 2_000
MOST_BYTES: Final = 64_000_000
"""Kept on the broker, more or less: as many entries as this holds of the size of the newest; the oldest are dropped."""
LEFT_MS: Final = 60_000
"""What a consumer holds for longer is anyone's."""
LARGEST_BYTES: Final = 16_000_000
"""Of one entry's JSON; more was not written here."""
TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """One entry that was taken."""

    entry_id: str
    lists: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ServedState:
    """How the stream is doing."""

    entries: int
    """That nobody has kept yet."""
    trimmed: int
    """Lost: dropped by the broker before anybody kept them."""


def add(settings: Settings, lists: Sequence[dict[str, Any]]) -> None:
    """Add lists as one entry."""
    body = zlib.compress(orjson.dumps(lists), 1)
    most = min(MOST_ENTRIES, MOST_BYTES // len(body) + 1)
    _adding(settings).xadd(NAME, {FIELD: body}, maxlen=most, approximate=True)


def take(client: Any, consumer: str, most: int) -> list[Taken]:
    """Return up to so many entries: first those that a consumer left, then new ones."""
    with contextlib.suppress(ResponseError):  # it is there already
        client.xgroup_create(NAME, GROUP, id="0", mkstream=True)
    left = client.xautoclaim(NAME, GROUP, consumer, LEFT_MS, "0-0", count=most)[1]
    if not left:
        read = client.xreadgroup(GROUP, consumer, {NAME: ">"}, count=most)
        left = read[0][1] if read else []
    return [Taken(entry_id.decode(), _lists(fields)) for entry_id, fields in left if fields]


def acknowledge(client: Any, taken: Sequence[Taken]) -> None:
    """Take entries that are kept off the stream."""
    if taken:
        ids = [each.entry_id for each in taken]
        with client.pipeline(transaction=True) as commands:
            commands.xack(NAME, GROUP, *ids)
            commands.xdel(NAME, *ids)
            _, deleted = commands.execute()
        client.incrby(f"{NAME}:kept", deleted)


def state(settings: Settings) -> ServedState:
    """Return how many entries wait and how many were lost."""
    with opened(settings) as client:
        try:
            info = client.xinfo_stream(NAME)
        except ResponseError:  # nothing was served yet
            return ServedState(0, 0)
        kept = int(client.get(f"{NAME}:kept") or 0)
        return ServedState(info["length"], max(info["entries-added"] - info["length"] - kept, 0))


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Any]:
    """Yield a client of the broker."""
    client: Any = connect(settings, timeout_s=TIMEOUT_S)
    try:
        yield client
    finally:
        client.close()


@lru_cache(maxsize=4)
def _adding(settings: Settings) -> redis.Redis:
    return connect(settings, timeout_s=TIMEOUT_S)


def _lists(fields: dict[bytes, bytes]) -> list[dict[str, Any]]:
    """Return the lists of an entry, none where it is not one of ours."""
    try:
        reader = zlib.decompressobj()
        told = orjson.loads(reader.decompress(fields.get(FIELD.encode(), b""), LARGEST_BYTES))
    except (zlib.error, orjson.JSONDecodeError):
        return []
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
