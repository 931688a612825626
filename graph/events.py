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
from graph.event_nodes import Nodes
from graph.event_shapes import FORGED, Event, Problem, body_hash, canonical
from graph.pending import TooManyWaitError, take
from graph.settings import Settings
from graph.share_effects import DEEPEST, Shares
from graph.signing import RECOMMENDATION, signer_of

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
        now_s: seconds since 1970 UTC; None: Neo4j's clock, which does not go by this machine's.
        imported: old events and events without a time are taken, and their ledger entries are kept for ever.

    Raises:
        ValueError: there are too many events.
        UnavailableError: Neo4j does not answer; nothing of the request was acknowledged.
    """
    if len(events) > MAX_EVENTS:
        raise ValueError(f"at most {MAX_EVENTS} events at once")
    now_ms = graph.now_ms() if now_s is None else int(now_s * 1000)
    oldest_ms = None if imported else now_ms - settings.ledger_days * 86_400_000
    rejected: list[Rejection] = []
    entries: list[Entry] = []
    for index, event in enumerate(events):
        shaped, problems = canonical(event, now_ms=now_ms, oldest_ms=oldest_ms)
        if problems:
            rejected.append(rejection(index, 422, problems))
        else:
            entries.append(Entry(index, shaped, body_hash(shaped)))
    if not imported:
        _flag_forged(settings, entries)
    written = write(graph, settings, entries, imported=imported)
    rejected = sorted(rejected + written.rejected, key=lambda one: one.index)
    return Outcome(written.accepted, written.duplicates, rejected)


def _flag_forged(settings: Settings, entries: Sequence[Entry]) -> None:
    """Mark events whose list's id was not signed here: what happened counts, what it is credited to does not.

    After their bodies were hashed: the same event sent again is a duplicate whatever became of the key.
    """
    named = [entry.event for entry in entries if "recommendationId" in entry.event]
    signer = signer_of(settings) if named else None
    for event in named:
        if signer is not None and not signer.has_signed(RECOMMENDATION, event["recommendationId"]):
            event[FORGED] = True


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
    policy = _Policy(
        settings.unknown_ids == "create", list(settings.consent_default if consent is None else consent), imported
    )
    refused: list[Rejection] = []
    attempt = 0
    while entries:
        try:
            written = graph.transaction(lambda tx: _write_once(tx, entries, policy))  # noqa: B023  it is run at once
            written.rejected += refused
            return written
        except _RefusedError as found:
            refused += [rejection(entry.index, status, [problem]) for entry, status, problem in found.refusals]
            without = {id(entry) for entry, _, _ in found.refusals}
            entries = [entry for entry in entries if id(entry) not in without]
        except ConflictError:
            attempt += 1
            if attempt == ATTEMPTS:
                raise UnavailableError(f"other writers were faster {ATTEMPTS} times: try again") from None
            time.sleep(random.uniform(0, BACKOFF_S * 2**attempt))
    return Written(rejected=refused)


def write_within(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Write valid events in a transaction of the caller's, once; nothing may be refused. Users consent to nothing.

    Raises:
        ConflictError: another writer was faster.
    """
    _write_once(tx, entries, _Policy(may_create=True, consent=[], imported=False))


@dataclass(frozen=True, slots=True)
class _Policy:
    """What holds for all events of a request."""

    may_create: bool
    consent: list[str]
    imported: bool


class _RefusedError(Exception):
    """Some events contradict the graph: nothing is written, and the others are tried without them."""

    def __init__(self, refusals: list[tuple[Entry, int, Problem]]) -> None:
        assert refusals  # noqa: S101  or the next try would be the same
        super().__init__(len(refusals))
        self.refusals = refusals


def _write_once(tx: Transaction, entries: Sequence[Entry], policy: _Policy) -> Written:
    """Write in the order in which every writer takes its locks (`graph.event_nodes`)."""
    written = Written()
    fresh = _enter(tx, entries, policy, written)
    if fresh:
        events = [entry.event for entry in fresh]
        nodes = Nodes(tx, policy.may_create, policy.consent)
        shares = Shares(nodes, events)
        if foreign := {id(event) for event in shares.foreign()}:
            problem = ("/shareId", "is already there with another user or item")
            raise _RefusedError([(entry, 409, problem) for entry in fresh if id(entry.event) in foreign])
        if deep := {id(event) for event in shares.too_deep()}:
            problem = ("/parentShareId", f"stands {DEEPEST} reshares below its root; deeper ones are not kept")
            raise _RefusedError([(entry, 422, problem) for entry in fresh if id(entry.event) in deep])
        shares.create()
        waited = take(tx, [*shares.arrived, *(f"purchase:{one['eventId']}" for one in events if _is_purchase(one))])
        nodes.bind(events, waited)
        if unknown := [(entry, 422, _unknown(name)) for entry in fresh if (name := nodes.missing(entry.event))]:
            raise _RefusedError(unknown)
        try:
            Effects(nodes, shares).write(events, waited)
        except TooManyWaitError as full:
            late = {id(event) for event in full.events}
            refusals = [(entry, 422, _TOO_MANY_WAIT) for entry in fresh if id(entry.event) in late]
            raise _RefusedError(refusals) from full
    return written


def _enter(tx: Transaction, entries: Sequence[Entry], policy: _Policy, written: Written) -> list[Entry]:
    """Enter the events into the ledger; return those that were not there, and judge the others."""
    hashes: dict[str, str] = {}
    for entry in entries:
        hashes.setdefault(entry.event["eventId"], entry.body_hash)
    rows: dict[str, str | None] = dict.fromkeys(_refunded(entries))  # entries of purchases are only held
    name = "events.write_ledger_and_hold" if rows.keys() - hashes.keys() else "events.write_ledger"
    rows |= hashes
    given = [list(one) for one in sorted(rows.items())]
    known = dict(tx.run(name, rows=given, imported=policy.imported or None)[0]["known"])
    hashes |= {event_id: known[event_id] for event_id in hashes.keys() & known.keys()}
    fresh: dict[str, Entry] = {}
    for entry in entries:
        event_id = entry.event["eventId"]
        if entry.body_hash != hashes[event_id]:
            written.rejected.append(rejection(entry.index, 409, [("/eventId", "is already there with another body")]))
        elif event_id in known or event_id in fresh:
            written.duplicates += 1
        else:
            fresh[event_id] = entry
    written.accepted = len(fresh)
    return list(fresh.values())


def _is_purchase(event: Event) -> bool:
    return event["type"] == "purchase"


def _refunded(entries: Sequence[Entry]) -> list[str]:
    return [entry.event["purchaseEventId"] for entry in entries if entry.event["type"] == "refund"]


_TOO_MANY_WAIT: Problem = ("", "names what is not there yet, and too many events wait already: send it again later")


def _unknown(name: str) -> Problem:
    return f"/{name}", "holds an id that is not known" if name == "recipientIds" else "is not known"
