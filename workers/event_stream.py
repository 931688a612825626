"""The shop's stream of events on the broker, as a consumer of Kith's group works on it.

An entry that was handed out stays pending until it is acknowledged; whoever dies leaves its pending entries to the
others. Beside the stream lie three small keys: `NAME:dead` holds the dead letters, `NAME:counts` what became of
entries, `NAME:trials` the entries whose consumer died while it tried them alone. Nothing is deleted from the stream
itself. Loads neither Celery nor the driver of Neo4j.

A script reads or claims entries one by one, because the broker bounds a read by entries only, not by bytes; an event
that is too large never leaves the broker. Every method raises `RedisError` or `OSError` when the broker is away.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.retry import Retry

from graph.errors import SettingsError
from graph.settings import Settings
from workers import alive

log = logging.getLogger("kith.workers")

GROUP: Final = "kith"
EVENT_FIELD: Final = "event"
TAKE_OVER_S: Final = 60.0
"""Entries of a consumer that was silent for so long are anyone's; of one that is known to be dead, at once."""
FORGOTTEN_S: Final = 3_600.0
"""A consumer without entries that was silent for so long is struck off the group."""
DEAD_LETTERS: Final = 10_000
"""Kept, more or less: the broker drops the oldest in blocks."""
COPIED_BYTES: Final = 8_192
"""A longer event is not copied into its dead letter; it stays in the stream as long as the shop keeps it."""
TRIALS_KEPT_S: Final = 7 * 86_400

_ROW: Final = """
local function row(entry, limit)
  local found, size, event = 0, 0, ''
  for at = 1, #entry[2], 2 do
    size = size + #entry[2][at + 1]
    if entry[2][at] == 'event' then
      found, event = found + 1, entry[2][at + 1]
    end
  end
  local length = #event
  if length > limit then event = '' end
  return {entry[1], found, length, event}, math.min(size, limit)
end
"""
_READ: Final = (
    _ROW
    + """
local taken, size = {}, 0
for _ = 1, tonumber(ARGV[3]) do
  local read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
  if not read then break end
  local one, bytes = row(read[1][2][1], tonumber(ARGV[4]))
  taken[#taken + 1] = one
  size = size + bytes
  if size >= tonumber(ARGV[4]) then break end
end
return taken
"""
)
_CLAIM: Final = (
    _ROW
    + """
local taken, trimmed, size = {}, 0, 0
for at = 4, #ARGV, 2 do
  local id, idle = ARGV[at], ARGV[at + 1]
  if #redis.call('XRANGE', KEYS[1], id, id) == 0 then
    trimmed = trimmed + redis.call('XACK', KEYS[1], ARGV[1], id)
  else
    local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], idle, id)
    if #claimed > 0 then
      local one, bytes = row(claimed[1], tonumber(ARGV[3]))
      taken[#taken + 1] = one
      size = size + bytes
      if size >= tonumber(ARGV[3]) then break end
    end
  end
end
return {trimmed, taken}
"""
)
_BURY: Final = """
local buried = 0
for at = 3, #ARGV, 3 do
  local id = ARGV[at]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1) == 1 then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*',
               'entryId', id, 'reason', ARGV[at + 1], 'event', ARGV[at + 2])
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('HDEL', KEYS[3], id)
    buried = buried + 1
  end
end
return buried
"""
_FORGET: Final = """
for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if one[4] == 0 and one[6] > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], one[2])
  end
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the stream that this consumer holds."""

    entry_id: str
    event: bytes
    """Empty where the entry has no such field, or a larger one than was asked for."""
    fields: int
    """How many fields `event` it has."""
    size_bytes: int
    """Of the event."""
    deliveries: int
    """How often it was handed out before."""


def connect(settings: Settings, *, timeout_s: float) -> redis.Redis:
    """Return a client of the broker; it connects when first used, waits at most `timeout_s`, and tries once.

    Raises:
        SettingsError: the broker's address is of a kind that only the queue can use.
    """
    try:
        return redis.Redis.from_url(
            settings.broker,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            client_name="kith-stream",
        )
    except ValueError:
        raise SettingsError("KITH_EVENT_STREAM needs a KITH_BROKER_URL of redis://, rediss:// or unix://") from None


class EventStream:
    """The stream, for one consumer; used by one thread, but for `spare`."""

    def __init__(self, client: redis.Redis, name: str, consumer: str) -> None:
        self._client: Any = client  # its types leave open whether it is the asynchronous one
        self._name, self._consumer = name, consumer
        self._dead, self._counts, self._trials = f"{name}:dead", f"{name}:counts", f"{name}:trials"
        self._read, self._claim = client.register_script(_READ), client.register_script(_CLAIM)
        self._bury, self._forget = client.register_script(_BURY), client.register_script(_FORGET)
        self._uncounted: Counter[str] = Counter()
        self._tried, self._deaths = "", 0

    def prepare(self) -> None:
        """Create stream and group where they are missing; a new group begins with the stream's first entry."""
        try:
            self._client.xgroup_create(self._name, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def read(self, most: int, most_bytes: int) -> list[Entry]:
        """Take entries that nobody has had, until there are `most` or their fields have `most_bytes` together."""
        rows: Any = self._read(keys=[self._name], args=[GROUP, self._consumer, most, most_bytes])
        return [_entry(row, 0) for row in rows]

    def take_over(self, most: int, most_bytes: int) -> list[Entry]:
        """Take entries that were handed out and that nobody works on: own, of dead consumers, of silent ones.

        To be called when this consumer holds none. Entries that the shop has trimmed meanwhile are counted as such.
        """
        left = self._left(most)
        if not left:
            return []
        pairs = [word for entry_id, (idle_ms, _) in left.items() for word in (entry_id, idle_ms)]
        # As idle as it was seen: what somebody else has taken since is idle no more.
        trimmed, rows = self._claim(keys=[self._name], args=[GROUP, self._consumer, most_bytes, *pairs])
        if trimmed:
            log.warning("%d entries of the event stream were trimmed before they were taken", trimmed)
            self.count({"trimmed": trimmed})
        return [_entry(row, left[row[0].decode()][1]) for row in rows]

    def keep(self, entry_ids: Sequence[str]) -> None:
        """Say that this consumer still works on these entries."""
        self._client.xclaim(self._name, GROUP, self._consumer, 0, list(entry_ids), justid=True)

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """Say that these entries are done with."""
        if entry_ids:
            self._client.xack(self._name, GROUP, *entry_ids)

    def bury(self, letters: Sequence[tuple[Entry, str]]) -> None:
        """Make dead letters of these entries, each with its reason, and acknowledge them, both or neither."""
        words = [
            word
            for entry, reason in letters
            for word in (entry.entry_id, reason, entry.event if len(entry.event) <= COPIED_BYTES else b"")
        ]
        if words:
            keys = [self._name, self._dead, self._trials]
            self.count({"refused": int(self._bury(keys=keys, args=[GROUP, DEAD_LETTERS, *words]))})

    def count(self, outcomes: Mapping[str, int]) -> None:
        """Add to what became of entries; a broker without room is told later."""
        self._uncounted.update(outcomes)
        try:
            for outcome in list(self._uncounted):
                if self._uncounted[outcome]:
                    self._client.hincrby(self._counts, outcome, self._uncounted[outcome])
                del self._uncounted[outcome]
        except OutOfMemoryError:
            return

    def deaths(self, entry_id: str) -> int:
        """Return how many consumers have ended in the middle of a trial of this entry."""
        return int(self._client.hget(self._trials, entry_id) or 0)

    @contextlib.contextmanager
    def trial(self, entry_id: str) -> Iterator[None]:
        """Mark the entry for the length of the block; the mark stays behind when the process ends in it."""
        with self._client.pipeline(transaction=True) as commands:
            commands.hincrby(self._trials, entry_id, 1)
            commands.expire(self._trials, TRIALS_KEPT_S)
            self._deaths = commands.execute()[0] - 1
        self._tried = entry_id
        try:
            yield
        finally:
            self.spare()

    def spare(self) -> None:
        """Take the mark of the trial under way away; also for a thread that ends the process on purpose."""
        if self._tried and self._deaths:
            self._client.hset(self._trials, self._tried, self._deaths)
        elif self._tried:
            self._client.hdel(self._trials, self._tried)
        self._tried = ""

    def acquit(self, entry_id: str) -> None:
        """Forget the trials of an entry that is done with."""
        self._client.hdel(self._trials, entry_id)

    def forget_silent(self) -> None:
        """Strike consumers off the group that have no entry and were silent for `FORGOTTEN_S`."""
        self._forget(keys=[self._name], args=[GROUP, int(FORGOTTEN_S * 1000)])

    def _left(self, most: int) -> dict[str, tuple[int, int]]:
        """Return at most about `most` entries that nobody works on: ms since they were handed out, and how often."""
        left: dict[str, tuple[int, int]] = {}
        for consumer in self._client.xinfo_consumers(self._name, GROUP):
            name = consumer["name"].decode()
            if consumer["pending"] and (name == self._consumer or alive.is_gone(name)) and len(left) < most:
                left |= self._pending(most - len(left), consumername=name)
        if len(left) < most:
            left |= self._pending(most - len(left), idle=int(TAKE_OVER_S * 1000))
        return left

    def _pending(self, most: int, **which: Any) -> dict[str, tuple[int, int]]:
        rows: Any = self._client.xpending_range(self._name, GROUP, "-", "+", most, **which)
        return {row["message_id"].decode(): (row["time_since_delivered"], row["times_delivered"]) for row in rows}


def _entry(row: list[Any], deliveries: int) -> Entry:
    entry_id, fields, size_bytes, event = row
    return Entry(entry_id.decode(), event, fields, size_bytes, deliveries)
