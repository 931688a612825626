"""Bodies for `POST /v1/events` that a careless or malicious client sends, and what may come of each."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

Event = dict[str, Any]

NOW: Final = datetime.now(UTC).isoformat()
BOMB: Final = gzip.compress(b"[" + b" " * 30_000_000 + b"]")
"""30 MB of blanks in 29 kB."""
NASTY: Final[tuple[Any, ...]] = (
    None, True, False, -1, 2**63, -(2**63) - 1, 2**64, 10**400, 1.5, -0.0, 1e308, "", " ", "x" * 257, "\u202e", [], {},
    [[]], [None], {"a": {}}, "\x00", "\ud800", "\uffff", "'; MATCH (n) DETACH DELETE n //", "0000-00-00", "9999-99-99",
    "2026-02-30T00:00:00Z", "+275760-09-13", "𝟙", ["a", 1], {"": 1}, {"$ne": 1}, float("nan"), float("inf"),
)  # fmt: skip
TYPES: Final = {
    "view": {}, "like": {}, "comment": {}, "save": {}, "addToCart": {}, "hide": {}, "rate": {"rating": 4},
    "click": {"recommendationId": "r"}, "purchase": {"valueMinor": 5, "currency": "EUR"},
    "share": {"recipientIds": ["bob"], "parentShareId": "none"},
}  # fmt: skip


@dataclass(frozen=True)
class Body:
    """One request's body."""

    kind: str
    raw: bytes
    good: tuple[str, ...] = ()
    """Ids of events that must be taken; everything else in it must not be."""
    headers: tuple[tuple[str, str], ...] = ()
    may_pass: bool = False
    """Whether a mutation may have left it valid, so that only its answer tells what must be there."""
    framing: Callable[[bytes], bytes] | None = None
    """Says the length in another way than by the right Content-Length; such a request has its connection alone."""


def valid(event_id: str, chance: random.Random) -> Event:
    """Return an event that must be taken."""
    kind = chance.choice(list(TYPES))
    who = {"userId": f"u{chance.randrange(40)}", "itemId": f"i{chance.randrange(40)}"}
    return {"eventId": event_id, "type": kind, "occurredAt": NOW, **who, **TYPES[kind]}


def _text(value: Any) -> bytes:
    return json.dumps(value).encode()


def _deep(number: int, chance: random.Random) -> Body:
    depth = chance.choice((100, 1_024, 1_025, 5_000, 100_000))
    head, tail = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"properties":', b"}]")))
    inner = _text(valid(f"bad{number}", chance))
    return Body("deep", head * depth + inner + (tail * depth if chance.random() < 0.7 else b""))


def _deep_inside(number: int, chance: random.Random) -> Body:
    nest = chance.choice((2, 500, 1_020, 3_000))
    inner = b'{"a":' * nest + b"1" + b"}" * nest
    return Body("deep inside", _text(valid(f"bad{number}", chance))[:-1] + b',"properties":' + inner + b"}")


def _no_number(number: int, chance: random.Random) -> Body:
    word = chance.choice((b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"0x10", b"01", b"1.", b"+1", b"nan"))
    event = {**valid(f"bad{number}", chance), "type": "rate", "rating": 1}
    return Body("no number", _text(event).replace(b'"rating": 1', b'"rating": ' + word))


def _twice(number: int, chance: random.Random) -> Body:
    event = _text(valid(f"bad{number}", chance))
    name = chance.choice((b"userId", b"eventId", b"type", b"us\\u0065rId"))
    return Body("duplicate key", event[:-1] + b', "' + name + b'": "x"}')


def _surrogate(number: int, chance: random.Random) -> Body:
    event = valid(f"bad{number}", chance)
    field = chance.choice(("userId", "itemId", "channel", "properties"))
    text = chance.choice((b"\\ud800", b"\\udfffx", b"\\udc00\\ud800", b"\xed\xa0\x80", b"\\uD83D"))
    marked = {**event, field: {"a": "MARK"} if field == "properties" else "MARK"}
    return Body("surrogate", _text(marked).replace(b"MARK", text))


def _nul(number: int, chance: random.Random) -> Body:
    text = chance.choice((b"\\u0000", b"\x00", b"a\\u0000b"))
    event = _text({**valid(f"bad{number}", chance), "userId": "MARK"})
    return Body("NUL", event.replace(b"MARK", text))


def _large_number(number: int, chance: random.Random) -> Body:
    digits = chance.choice((str(2**63), str(-(2**63) - 1), str(2**64), "9" * 400, "9" * 100_000, "1" + "0" * 4_299))
    paid = {"type": "purchase", "valueMinor": 1, "currency": "EUR"}
    event = {"eventId": f"bad{number}", "occurredAt": NOW, "userId": "u", "itemId": "i", **paid}
    return Body("large number", _text(event).replace(b'"valueMinor": 1', f'"valueMinor": {digits}'.encode()))


def _bad_utf8(number: int, chance: random.Random) -> Body:
    text = chance.choice((b"\xff", b"\xc0\xaf", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\xf4\x90\x80\x80", b"\x80"))
    return Body("bad UTF-8", _text({**valid(f"bad{number}", chance), "itemId": "MARK"}).replace(b"MARK", text))


def _other_charset(number: int, chance: random.Random) -> Body:
    text = _text(valid(f"bad{number}", chance)).decode()
    return Body("other charset", text.encode(chance.choice(("utf-16", "utf-32", "utf-16-be", "cp037", "utf-8-sig"))))


def _packed(number: int, chance: random.Random) -> Body:
    raw = chance.choice((BOMB, gzip.compress(_text(valid(f"bad{number}", chance))), zlib.compress(b"[]" * 1_000)))
    said = chance.choice((None, "gzip", "deflate", "br", "gzip, gzip", "identity, gzip", "x" * 5_000))
    return Body("packed", raw, headers=(("Content-Encoding", said),) if said else ())


def _truncated(number: int, chance: random.Random) -> Body:
    raw = _text(valid(f"bad{number}", chance))
    return Body("truncated", raw[: chance.randrange(len(raw))])


def _long(number: int, chance: random.Random) -> Body:
    event = valid(f"bad{number}", chance)
    size = chance.choice((257, 20_000, 1_000_000, 4_200_000))
    field = chance.choice(("userId", "itemId", "channel", "platform", "more"))
    return Body("long text", _text({**event, field: "x" * size if field != "more" else {"x" * 90: 1}}))


def _many(number: int, chance: random.Random) -> Body:
    count = chance.choice((5_001, 20_000))
    return Body("too many", b"[" + b",".join([_text(valid(f"bad{number}", chance))] * count) + b"]")


def _wrong(number: int, chance: random.Random) -> Body:
    """One field of a valid event is something else."""
    event = valid(f"bad{number}", chance)
    field = chance.choice([*event, "properties", "channel", "strength", "friendId", "rating"])
    value = chance.choice(NASTY)
    return Body("wrong field", json.dumps({**event, field: value}).encode(), may_pass=True)


def _attribute(number: int, chance: random.Random) -> Body:
    """An attribute with a name that Kith writes itself."""
    names = ("rootShareId", "depth", "cascadeSize", "subtreeSize", "isFirst", "refundedMinor", "ingestedAt", "eventId",
             "growth", "levelSizes", "opens", "locked", "waitsFor", "embedding_a")  # fmt: skip
    return Body("own name", _text({**valid(f"bad{number}", chance), "properties": {chance.choice(names): "x"}}))


def _flipped(number: int, chance: random.Random) -> Body:
    """Some bytes of a valid list are others."""
    raw = bytearray(_text([valid(f"maybe{number}:{k}", chance) for k in range(3)]))
    for _ in range(chance.choice((1, 2, 8))):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    return Body("flipped", bytes(raw), may_pass=True)


def _no_list(number: int, chance: random.Random) -> Body:
    return Body("no events", chance.choice((b"", b"null", b"[]", b"{}", b"[[]]", b"0", b'"x"', b"[null]", b"\n", b"}")))


def _mixed(number: int, chance: random.Random) -> Body:
    """Good events beside bad ones: each is judged alone."""
    good = [valid(f"good{number}:{k}", chance) for k in range(2)]
    bad = [
        {**valid(f"bad{number}:0", chance), "userId": ""},
        {**valid(f"bad{number}:1", chance), "occurredAt": "3000-01-01T00:00:00Z"},
        {**valid(f"bad{number}:2", chance), "type": "dance"},
        chance.choice((None, 7, [], "event")),
    ]
    events = [*good, *bad]
    chance.shuffle(events)
    return Body("mixed", orjson.dumps(events), tuple(one["eventId"] for one in good))


def _good(number: int, chance: random.Random) -> Body:
    return Body("good", _text(valid(f"good{number}", chance)), (f"good{number}",))


def _framed(number: int, chance: random.Random) -> Body:
    """The length is said wrongly, or in chunks."""
    raw = _text(valid(f"bad{number}", chance))
    size = len(raw)
    lines = {
        "too long": b"Content-Length: %d" % (size + 50),
        "negative": b"Content-Length: -1",
        "no number": b"Content-Length: ten",
        "huge": b"Content-Length: 99999999999999999999999",
        "two": b"Content-Length: %d\r\nContent-Length: %d" % (size, size + 1),
        "too short": b"Content-Length: %d" % (size // 2),
        "none": b"X-None: 1",
        "both": b"Content-Length: %d\r\nTransfer-Encoding: chunked" % size,
        "not chunked": b"Transfer-Encoding: chunked",
        "unknown": b"Transfer-Encoding: gzip, snappy",
    }
    name = chance.choice(list(lines))
    return Body(f"framing: {name}", raw, framing=lambda body: lines[name] + b"\r\n\r\n" + body)


def _chunked(number: int, chance: random.Random) -> Body:
    """An event in chunks: whole; without the end of the last chunk; or broken off in the event."""
    kind = chance.choice(("chunked", "chunks without end", "chunks broken"))
    event_id = f"good{number}" if kind == "chunked" else f"bad{number}"
    raw = _text(valid(event_id, chance))
    cut = chance.randrange(1, len(raw) - 1)
    pieces = (raw[:cut],) if kind == "chunks broken" else (raw[:cut], raw[cut:])
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in pieces)
    end = chance.choice((b"", b"zz\r\n", b"ffffffffffffffffff\r\n", b"5\r\n12"))
    whole = b"Transfer-Encoding: chunked\r\n\r\n" + parts + (b"0\r\n\r\n" if kind == "chunked" else end)
    good = (event_id,) if kind == "chunked" else ()
    return Body(kind, raw, good, may_pass=kind == "chunks without end", framing=lambda body: whole)


MAKERS: Final = (
    (_good, 20), (_mixed, 12), (_deep, 5), (_deep_inside, 3), (_no_number, 6), (_twice, 5), (_surrogate, 5), (_nul, 5),
    (_large_number, 6), (_bad_utf8, 6), (_other_charset, 2), (_packed, 5), (_truncated, 6), (_long, 2), (_many, 0.05),
    (_wrong, 12), (_attribute, 3), (_flipped, 8), (_no_list, 3), (_framed, 1.5), (_chunked, 1.5),
)  # fmt: skip


def made_up(number: int, seed: int) -> Body:
    """Return the body of this number; the same for the same seed."""
    chance = random.Random(f"{seed}:{number}")
    (make,) = chance.choices([make for make, _ in MAKERS], [weight for _, weight in MAKERS])
    return make(number, chance)
