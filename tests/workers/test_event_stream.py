"""The stream on a real Valkey: what is handed out, to whom, how much at once, and what is left behind."""

from __future__ import annotations

import subprocess
import sys

import pytest
import redis
from redis.exceptions import OutOfMemoryError

from tests.workers.streams import NAME, add, counts, letters, likes, pending
from workers import alive, event_stream
from workers.event_stream import GROUP, Entry, EventStream

BYTES = 1_000_000


def stream(broker: redis.Redis, consumer: str) -> EventStream:
    made = EventStream(broker, NAME, consumer)
    made.prepare()
    return made


def ids(entries: list[Entry]) -> list[str]:
    return [entry.entry_id for entry in entries]


def test_a_new_group_begins_with_the_first_entry_and_hands_each_out_once(broker: redis.Redis) -> None:
    added = add(broker, likes(5))
    first, second = stream(broker, "a"), stream(broker, "b")
    second.prepare()
    assert ids(first.read(3, BYTES)) == added[:3]
    assert ids(second.read(3, BYTES)) == added[3:]
    assert first.read(3, BYTES) == second.read(3, BYTES) == []
    assert first.take_over(10, BYTES) != []
    first.acknowledge(added[:3])
    assert first.take_over(10, BYTES) == []
    assert pending(broker) == 2


def test_a_read_is_bounded_by_bytes_and_a_large_event_stays_where_it_is(broker: redis.Redis) -> None:
    added = add(broker, [b"x" * 400, b"y" * 400, b"z" * 400, b"w" * 2_000, b"v"])
    reader = stream(broker, "a")
    assert ids(reader.read(10, 800)) == added[:2]
    found = reader.read(10, 1_000)
    assert [(each.entry_id, each.size_bytes, each.event) for each in found] == [
        (added[2], 400, b"z" * 400),
        (added[3], 2_000, b""),
    ]
    assert ids(reader.take_over(10, 800)) == added[:2]


def test_how_many_fields_an_entry_has_is_told(broker: redis.Redis) -> None:
    broker.xadd(NAME, {"trace": "1", "event": "{}"})
    broker.xadd(NAME, {"data": "{}"})
    broker.execute_command("XADD", NAME, "*", "event", "{}", "event", "[]")
    assert [each.fields for each in stream(broker, "a").read(10, BYTES)] == [1, 0, 2]


def test_entries_of_the_dead_are_taken_at_once_of_the_silent_later_of_the_living_never(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dead = alive.name(child.pid)
    child.communicate(b"\n")
    added = add(broker, likes(3))
    assert ids(stream(broker, dead).read(1, BYTES)) == added[:1]
    assert ids(stream(broker, alive.name()).read(1, BYTES)) == added[1:2]
    assert ids(stream(broker, "elsewhere").read(1, BYTES)) == added[2:]
    taker = stream(broker, "a")
    found = taker.take_over(10, BYTES)
    assert [(each.entry_id, each.deliveries) for each in found] == [(added[0], 1)]
    taker.acknowledge(added[:1])
    assert taker.take_over(10, BYTES) == []
    monkeypatch.setattr(event_stream, "TAKE_OVER_S", 0.0)
    assert ids(taker.take_over(10, BYTES)) == added[1:]


def test_what_somebody_took_in_between_is_not_taken_again(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    added = add(broker, likes(1))
    stream(broker, "gone").read(1, BYTES)
    broker.xclaim(NAME, GROUP, "gone", 0, added, idle=5_000)
    slow, fast = stream(broker, "slow"), stream(broker, "fast")
    monkeypatch.setattr(event_stream, "TAKE_OVER_S", 1.0)
    seen = slow._left(10)
    assert ids(fast.take_over(10, BYTES)) == added
    monkeypatch.setattr(slow, "_left", lambda most: seen)
    assert slow.take_over(10, BYTES) == []


def test_entries_that_were_trimmed_while_they_were_pending_are_counted_as_such(broker: redis.Redis) -> None:
    added = add(broker, likes(3))
    reader = stream(broker, "a")
    reader.read(3, BYTES)
    broker.xtrim(NAME, minid=added[2], approximate=False)
    assert ids(reader.take_over(10, BYTES)) == added[2:]
    assert counts(broker) == {"trimmed": 2}
    assert pending(broker) == 1


def test_a_dead_letter_is_written_once_whoever_buries_it(broker: redis.Redis) -> None:
    add(broker, [b"{", b"x" * (event_stream.COPIED_BYTES + 1)])
    first, second = stream(broker, "a"), stream(broker, "b")
    found = [(entry, "bad") for entry in first.read(2, BYTES)]
    first.bury(found)
    second.bury(found)
    assert [(each["entryId"], each["event"]) for each in letters(broker)] == [
        (found[0][0].entry_id, "{"),
        (found[1][0].entry_id, ""),
    ]
    assert pending(broker) == 0
    assert counts(broker) == {"refused": 2}


def test_a_full_broker_loses_no_letter_and_no_count(broker: redis.Redis) -> None:
    add(broker, [*likes(1), b"{"])
    reader = stream(broker, "a")
    good, bad = reader.read(2, BYTES)
    broker.config_set("maxmemory", "1")
    try:
        reader.acknowledge([good.entry_id])
        reader.count({"accepted": 1})
        with pytest.raises(OutOfMemoryError):
            reader.bury([(bad, "bad")])
        assert pending(broker) == 1
    finally:
        broker.config_set("maxmemory", "0")
    assert letters(broker) == []
    reader.bury([(bad, "bad")])
    assert counts(broker) == {"accepted": 1, "refused": 1}


def test_a_trial_leaves_its_mark_only_when_its_process_ends(broker: redis.Redis) -> None:
    (added,) = add(broker, likes(1))
    reader = stream(broker, "a")
    with reader.trial(added):
        assert stream(broker, "b").deaths(added) == 1
    assert reader.deaths(added) == 0
    with pytest.raises(ValueError, match="x"), reader.trial(added):
        raise ValueError("x")
    assert reader.deaths(added) == 0
    broker.hset(f"{NAME}:trials", added, 1)
    for _ in range(2):
        with reader.trial(added):
            assert reader.deaths(added) == 2
    assert reader.deaths(added) == 1
    reader.acquit(added)
    assert reader.deaths(added) == 0


def test_consumers_without_entries_that_were_silent_for_long_are_forgotten(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(broker, likes(1))
    stream(broker, "holder").read(1, BYTES)
    stream(broker, "idle").read(1, BYTES)
    stream(broker, "a").forget_silent()
    assert len(broker.xinfo_consumers(NAME, GROUP)) == 2
    monkeypatch.setattr(event_stream, "FORGOTTEN_S", -1.0)
    stream(broker, "a").forget_silent()
    assert [each["name"] for each in broker.xinfo_consumers(NAME, GROUP)] == [b"holder"]
