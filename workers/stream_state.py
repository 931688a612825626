"""The event stream as an onlooker sees it: backlog, counts, dead letters. For `/metrics`, the doctor, the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from graph.settings import Settings
from workers import alive
from workers.event_stream import GROUP, connect

OUTCOMES: Final = ("accepted", "duplicate", "refused", "trimmed")
"""What becomes of an entry; those that were trimmed before anybody had taken them over are lost."""
TIMEOUT_S: Final = 1.0

_OLDEST: Final = """
local last
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for at = 1, #group, 2 do
    if group[at] == 'name' and group[at + 1] ~= ARGV[1] then break end
    if group[at] == 'last-delivered-id' then last = group[at + 1] end
  end
end
local pending = redis.call('XPENDING', KEYS[1], ARGV[1])
local unread = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)
return {pending[1], pending[2] or '', unread[1] and unread[1][1] or ''}
"""


@dataclass(frozen=True, slots=True)
class StreamState:
    """The backlog and what became of entries."""

    waiting: int | None
    """Entries that nobody has taken yet; None where the broker cannot tell, after entries were deleted or trimmed."""
    pending: int
    """Entries that a consumer took and has not acknowledged."""
    oldest_s: float
    """Since the oldest of both was added, by its id, which `XADD *` makes of the broker's clock; 0 without any."""
    dead_letters: int
    counts: dict[str, int]
    """Of each of `OUTCOMES`, since the broker's key was made."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that could not be taken."""

    letter_id: str
    entry_id: str
    """Of the entry in the stream."""
    reason: str
    event: bytes
    """Empty where it was not copied."""


def state(settings: Settings) -> StreamState | None:
    """Return how the stream of the settings is doing; None where there is no such stream or no consumer yet.

    Raises:
        RedisError, OSError: the broker does not answer, or what lies under the name is no stream.
    """
    name = settings.event_stream
    with _client(settings) as client:
        try:
            groups = {group["name"].decode(): group for group in client.xinfo_groups(name)}
            if GROUP not in groups:
                return None
            pending, *ids = client.eval(_OLDEST, 1, name, GROUP)
        except ResponseError as error:
            if _is_missing(error):
                return None
            raise
        oldest_ms = min((int(each.partition(b"-")[0]) for each in ids if each), default=None)
        seconds, microseconds = client.time()
        counts = client.hgetall(f"{name}:counts")
        return StreamState(
            waiting=groups[GROUP].get("lag"),
            pending=pending,
            oldest_s=0.0 if oldest_ms is None else max(seconds + microseconds / 1e6 - oldest_ms / 1000, 0.0),
            dead_letters=client.xlen(f"{name}:dead"),
            counts={outcome: int(counts.get(outcome.encode(), 0)) for outcome in OUTCOMES},
        )


def idle_s(settings: Settings) -> float | None:
    """Return how long ago a living consumer of this machine last spoke to the broker; None when there is none.

    Raises:
        RedisError, OSError: the broker does not answer.
    """
    with _client(settings) as client:
        try:
            consumers = client.xinfo_consumers(settings.event_stream, GROUP)
        except ResponseError as error:
            if _is_missing(error):
                return None
            raise
    found = ((each["name"].decode(), each["idle"] / 1000) for each in consumers)
    return min((idle for name, idle in found if alive.is_here(name) and not alive.is_gone(name)), default=None)


def dead_letters(settings: Settings, most: int) -> list[DeadLetter]:
    """Return the newest dead letters, newest first.

    Raises:
        RedisError, OSError: the broker does not answer.
    """
    with _client(settings) as client:
        return [_letter(*row) for row in client.xrevrange(f"{settings.event_stream}:dead", count=most)]


def dead_letter(settings: Settings, letter_id: str) -> DeadLetter | None:
    """Return one dead letter, its event from the stream where it was not copied; None where there is none.

    Raises:
        RedisError, OSError: the broker does not answer.
    """
    name = settings.event_stream
    with _client(settings) as client:
        rows = client.xrange(f"{name}:dead", letter_id, letter_id)
        if not rows:
            return None
        letter = _letter(*rows[0])
        if letter.event:
            return letter
        entries = client.xrange(name, letter.entry_id, letter.entry_id)
        event = entries[0][1].get(b"event", b"") if entries else b""
        return DeadLetter(letter.letter_id, letter.entry_id, letter.reason, event)


def drop(settings: Settings, letter_id: str) -> None:
    """Take a dead letter away.

    Raises:
        RedisError, OSError: the broker does not answer.
    """
    with _client(settings) as client:
        client.xdel(f"{settings.event_stream}:dead", letter_id)


@contextlib.contextmanager
def _client(settings: Settings) -> Iterator[Any]:
    client = connect(settings, timeout_s=TIMEOUT_S)
    try:
        yield client
    finally:
        client.close()


def _is_missing(error: ResponseError) -> bool:
    return str(error).startswith(("NOGROUP", "no such key"))


def _letter(letter_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    return DeadLetter(
        letter_id.decode(), fields[b"entryId"].decode(), fields[b"reason"].decode("utf-8", "replace"), fields[b"event"]
    )
