"""Events into the graph: each takes effect once, in any order, together with its entry in the ledger."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from graph.connection import Graph, Transaction
from graph.effects import Effects
from graph.errors import ConflictError, UnavailableError
from graph.event_shapes import Event, Problem, body_hash, canonical
from graph.settings import Settings

MAX_EVENTS: Final = 10_000
ATTEMPTS: Final = 8
BACKOFF_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that was refused and why."""

    index: int
    """Position in the request."""
    status: int
    """409 where the id or share is already there with another body, else 422."""
    problem: dict[str, Any]
    """`{title, status, detail, errors: [{pointer, detail}]}`; pointers lead into the event."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the events of one request."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]


@dataclass(frozen=True, slots=True)
class Entry:
    """A valid event on its way into the graph."""

    index: int
    event: Event
    body_hash: str


@dataclass(slots=True)
class Written:
    """What one transaction did with its entries."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = field(default_factory=list)


def rejection(index: int, status: int, problems: Sequence[Problem]) -> Rejection:
    """Return a refusal of the event at `index`."""
    title = "Conflict" if status == 409 else "Unprocessable event"
    pointer, detail = problems[0]
    return Rejection(
        index,
        status,
        {
            "title": title,
            "status": status,
            "detail": f"{pointer[1:]} {detail}".strip(),
            "errors": [{"pointer": where, "detail": what} for where, what in problems],
        },
    )


def ingest(
    graph: Graph, settings: Settings, events: Sequence[object], now_s: float | None = None, imported: bool = False
) -> Outcome:
    """Judge each event alone and write the good ones in one transaction.

    Args:
        graph: where to.
        settings: `ledger_days`, `unknown_ids` and `consent_default` are used.
        events: at most `MAX_EVENTS`, in the shapes of the contract.
        now_s: the server's clock, seconds since 1970 UTC; None reads it.
        imported: old events and events without a time are taken, and their ledger entries are kept for ever.

    Raises:
        ValueError: there are too many events.
        UnavailableError: Neo4j does not answer; nothing of the request was acknowledged.
    """
    if len(events) > MAX_EVENTS:
        raise ValueError(f"at most {MAX_EVENTS} events at once")
    now_ms = int((time.time() if now_s is None else now_s) * 1000)
    oldest_ms = None if imported else now_ms - settings.ledger_days * 86_400_000
    rejected: list[Rejection] = []
    entries: list[Entry] = []
    for index, event in enumerate(events):
        shaped, problems = canonical(event, now_ms=now_ms, oldest_ms=oldest_ms)
        if problems:
            rejected.append(rejection(index, 422, problems))
        else:
            entries.append(Entry(index, shaped, body_hash(shaped)))
    written = write(graph, settings, entries, imported=imported)
    rejected = sorted(rejected + written.rejected, key=lambda one: one.index)
    return Outcome(written.accepted, written.duplicates, rejected)


def write(
    graph: Graph,
    settings: Settings,
    entries: Sequence[Entry],
    *,
    imported: bool,
    consent: Sequence[str] | None = None,
) -> Written:
    """Write valid events in one transaction; tried again when another writer was faster with one of them.

    Args:
        graph: where to.
        settings: as for `ingest`.
        entries: events in canonical form.
        imported: as for `ingest`.
        consent: purposes of the users created on the way; None: `KITH_CONSENT_DEFAULT`.

    Raises:
        UnavailableError: Neo4j does not answer, or writers got in each other's way `ATTEMPTS` times.
    """
    if not entries:
        return Written()
    purposes = list(settings.consent_default if consent is None else consent)
    may_create = settings.unknown_ids == "create"
    for attempt in range(ATTEMPTS):
        try:
            return graph.transaction(lambda tx: _write_once(tx, entries, purposes, may_create, imported))
        except ConflictError:
            time.sleep(random.uniform(0, BACKOFF_S * 2**attempt))
    raise UnavailableError(f"other writers were faster {ATTEMPTS} times: try again")


def _other_body(entry: Entry) -> Rejection:
    return rejection(entry.index, 409, [("/eventId", "is already there with another body")])


def _write_once(
    tx: Transaction, entries: Sequence[Entry], consent: list[str], may_create: bool, imported: bool
) -> Written:
    written = Written()
    known = tx.run(
        "events.read_known",
        eventIds=sorted({entry.event["eventId"] for entry in entries}),
        **Effects.named(entry.event for entry in entries),
    )[0]
    hashes: dict[str, str] = dict(known["events"])
    shares = {share_id: (user_id, item_id) for share_id, user_id, item_id, _, _ in known["shares"]}
    effects = Effects(tx, {share_id: (root, depth) for share_id, _, _, root, depth in known["shares"]})
    missing = {"user": set(known["missingUsers"]), "item": set(known["missingItems"])}
    fresh: list[Entry] = []
    for entry in entries:
        known_hash = hashes.get(entry.event["eventId"])
        if known_hash is not None:
            if known_hash == entry.body_hash:
                written.duplicates += 1
            else:
                written.rejected.append(_other_body(entry))
        elif problems := Effects.clashes(entry.event, shares, None if may_create else missing):
            written.rejected.append(rejection(entry.index, problems[0], [problems[1]]))
        else:
            fresh.append(entry)
            hashes[entry.event["eventId"]] = entry.body_hash
    if fresh:
        ledger = sorted([entry.event["eventId"], entry.body_hash] for entry in fresh)
        tx.run("events.write_ledger", rows=ledger, imported=imported or None)
        effects.create_missing(missing, [entry.event for entry in fresh], consent)
        effects.write([entry.event for entry in fresh])
    written.accepted = len(fresh)
    return written
