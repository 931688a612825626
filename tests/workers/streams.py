"""Events on a stream for the tests: adding them, reading what the broker keeps of them, a consumer beside the test."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import redis

from graph.connection import Graph
from graph.settings import Settings
from workers import event_stream
from workers.event_stream import GROUP, EventStream
from workers.stream import Consumer

NAME = "shop"
TODAY = datetime.now(UTC).isoformat()


def event(kind: str, event_id: str, **fields: Any) -> dict[str, Any]:
    """Return an event of the contract, of today."""
    return {"eventId": event_id, "type": kind, "occurredAt": TODAY, **fields}


def likes(count: int, prefix: str = "e") -> list[dict[str, Any]]:
    """Return as many likes of 20 users and 50 items."""
    return [event("like", f"{prefix}{k}", userId=f"u{k % 20}", itemId=f"i{k % 50}") for k in range(count)]


def add(broker: redis.Redis, events: Sequence[Any]) -> list[str]:
    """Add entries, one event each (bytes as they are), and return their ids."""
    with broker.pipeline(transaction=False) as commands:
        for each in events:
            commands.xadd(NAME, {"event": each if isinstance(each, bytes) else orjson.dumps(each)})
        return [entry_id.decode() for entry_id in commands.execute()]


def pending(broker: redis.Redis) -> int:
    """Return how many entries were handed out and not acknowledged; -1 while there is no group."""
    with contextlib.suppress(redis.ResponseError):
        return broker.xpending(NAME, GROUP)["pending"]
    return -1


def is_done(broker: redis.Redis) -> bool:
    """Whether every entry was handed out and acknowledged."""
    with contextlib.suppress(redis.ResponseError):
        return [(group["lag"], group["pending"]) for group in broker.xinfo_groups(NAME)] == [(0, 0)]
    return False


def counts(broker: redis.Redis) -> dict[str, int]:
    """Return what became of entries."""
    return {name.decode(): int(count) for name, count in broker.hgetall(f"{NAME}:counts").items()}


def letters(broker: redis.Redis) -> list[dict[str, str]]:
    """Return the dead letters, oldest first."""
    return [
        {k.decode(): v.decode("utf-8", "replace") for k, v in fields.items()}
        for _, fields in broker.xrange(f"{NAME}:dead")
    ]


@contextlib.contextmanager
def consuming(settings: Settings, graph: Graph, consumer: str = "here") -> Iterator[None]:
    """Run the consumer's loop on a thread as long as the block; it must end within a few seconds after it."""
    stop = threading.Event()
    client = event_stream.connect(settings, timeout_s=5.0)
    stream = EventStream(client, settings.event_stream, consumer)
    thread = threading.Thread(target=Consumer(stream, graph, settings, stop).run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        client.close()
