"""`kith stream status | dead | replay`: the event stream, and the entries of it that could not be taken."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kith.commands.arguments import add, connect, settings
from kith.terminal import print_json, say, table

if TYPE_CHECKING:
    from graph.settings import Settings

LETTER_ID = re.compile(r"\d{1,20}-\d{1,20}")
SHOWN_CHARS = 120


def register(commands: Any) -> None:
    """Add the commands on the event stream."""
    group = commands.add_parser("stream", help="the event stream: backlog, dead letters")
    parts = group.add_subparsers(dest="stream_command", metavar="ACTION", required=True)
    add(parts, "status", "show how far the consumers of KITH_EVENT_STREAM are", show_status)
    dead = add(parts, "dead", "list entries that could not be taken, the newest first", list_dead)
    dead.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (default 20, most 10000)")
    replay = add(
        parts, "replay", "write dead letters into the graph after all; those that go in are taken away", replay_dead
    )
    replay.add_argument("letters", nargs="+", metavar="ID", help="the first column of `kith stream dead`")


def show_status(arguments: argparse.Namespace) -> int:
    """Show the backlog; exit code 1 when no consumer has ever been there."""
    from workers import stream_state

    chosen = _settings()
    with _broker():
        found = stream_state.state(chosen)
    if arguments.json:
        print_json({"stream": chosen.event_stream, "state": found and _shown(asdict(found))})
    elif found is None:
        say(f"{chosen.event_stream} has no consumer yet: kith up")
    else:
        waiting = "unknown, since entries were deleted or trimmed" if found.waiting is None else f"{found.waiting:,}"
        say(f"{chosen.event_stream}: {waiting} entries wait, {found.pending:,} are being taken")
        say(f"the oldest of them was added {found.oldest_s:.1f} s ago")
        say(", ".join(f"{count:,} {outcome}" for outcome, count in found.counts.items()))
        say(f"{found.dead_letters:,} dead letters")
    return 0 if found else 1


def list_dead(arguments: argparse.Namespace) -> int:
    """List dead letters with their reasons."""
    from graph.errors import InputError
    from workers import event_stream, stream_state

    if not 1 <= arguments.limit <= event_stream.DEAD_LETTERS:
        raise InputError(f"--limit is 1 to {event_stream.DEAD_LETTERS}")
    chosen = _settings()
    with _broker():
        found = stream_state.dead_letters(chosen, arguments.limit)
    rows = [
        {
            "id": each.letter_id,
            "entryId": each.entry_id,
            "at": datetime.fromtimestamp(int(each.letter_id.partition("-")[0]) / 1000, UTC).isoformat(),
            "reason": each.reason,
            "event": each.event.decode("utf-8", "replace"),
        }
        for each in found
    ]
    if arguments.json:
        print_json({"stream": chosen.event_stream, "deadLetters": rows})
        return 0
    table(
        ("id", "entry", "reason", "event"),
        [(r["id"], r["entryId"], r["reason"], r["event"][:SHOWN_CHARS]) for r in rows],
    )
    return 0


def replay_dead(arguments: argparse.Namespace) -> int:
    """Write dead letters into the graph; exit code 1 when one of them is still refused."""
    from graph.errors import InputError

    if wrong := [letter_id for letter_id in arguments.letters if not LETTER_ID.fullmatch(letter_id)]:
        raise InputError(f"{wrong[0][:64]!r} is no id of a dead letter")
    chosen = _settings()
    with connect() as graph, _broker():
        done = {letter_id: _replay(graph, chosen, letter_id) for letter_id in arguments.letters}
    if arguments.json:
        print_json({"replayed": done})
    else:
        table(("id", "outcome"), list(done.items()))
    return 0 if all(outcome in ("accepted", "duplicate") for outcome in done.values()) else 1


def _replay(graph: Any, chosen: Settings, letter_id: str) -> str:
    """Write one dead letter and return what became of it: accepted, duplicate, or why it stays."""
    from graph import events
    from graph.errors import MalformedError
    from graph.strict_json import parse
    from workers import stream_state

    letter = stream_state.dead_letter(chosen, letter_id)
    if letter is None:
        return "there is no such dead letter"
    if not letter.event:
        return "its event was not kept"
    try:
        outcome = events.ingest(graph, chosen, [parse(letter.event)])
    except MalformedError as error:
        return str(error)
    if outcome.rejected:
        return str(outcome.rejected[0].problem["detail"])
    stream_state.drop(chosen, letter_id)
    return "accepted" if outcome.accepted else "duplicate"


def _settings() -> Settings:
    from graph.errors import SettingsError

    chosen = settings()
    if not chosen.event_stream:
        raise SettingsError("KITH_EVENT_STREAM is not set: there is no event stream")
    return chosen


@contextmanager
def _broker() -> Iterator[None]:
    from redis.exceptions import RedisError

    from graph.errors import UnavailableError

    try:
        yield
    except RedisError as error:
        raise UnavailableError(f"the broker does not tell of the event stream: {error}") from error


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "waiting": found["waiting"],
        "pending": found["pending"],
        "oldestS": found["oldest_s"],
        "deadLetters": found["dead_letters"],
        "entries": found["counts"],
    }
