"""Events of every type, written and taken back: the server has planned and compiled what writes them before shops come.

A Neo4j that has just started plans each statement when it first meets it, anew for lists of about ten, a hundred and a
thousand rows; the first requests with events would wait seconds for it.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Any, Final

from graph.connection import Graph, Transaction
from graph.event_shapes import Event, body_hash
from graph.events import Entry, write_within

COPIES: Final = (1, 4, 12)
"""How many of each event are rehearsed in turn."""


class _TakenBackError(Exception):
    """Ends the transaction, so that nothing of it stays."""


def rehearse(graph: Graph) -> None:
    """Write events of every type and take all of it back.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    now_ms = graph.now_ms()

    def write_and_take_back(tx: Transaction) -> None:
        for copies in COPIES:
            tag = f"rehearsal-{secrets.token_hex(8)}"
            for step in (_first, _then):  # the second finds what the first made
                events = [{**one, "occurredAt": now_ms} for n in range(copies) for one in step(f"{tag}-{n}")]
                write_within(tx, [Entry(n, event, body_hash(event)) for n, event in enumerate(events)])
        raise _TakenBackError

    with contextlib.suppress(_TakenBackError):
        graph.transaction(write_and_take_back)


def _first(tag: str) -> list[Event]:
    """Return events about what is not there yet, some before what they name."""
    said: dict[str, dict[str, Any]] = {
        "view": {"itemId": tag}, "like": {"itemId": tag}, "friend": {"friendId": f"{tag}b"},
        "follow": {"friendId": f"{tag}b"},
        "share": {"shareId": f"{tag}-share", "itemId": tag, "recipientIds": [f"{tag}b"]},
        "purchase": {"itemId": tag, "valueMinor": 2, "currency": "EUR"},
    }  # fmt: skip
    early: dict[str, dict[str, Any]] = {
        "share": {"shareId": f"{tag}-early-share", "itemId": tag, "parentShareId": f"{tag}-later"},
        "open": {"shareId": f"{tag}-later"},
    }  # fmt: skip
    return [
        *({"eventId": f"{tag}-{kind}", "type": kind, "userId": tag, **more} for kind, more in said.items()),
        *({"eventId": f"{tag}-early-{kind}", "type": kind, "userId": tag, **more} for kind, more in early.items()),
    ]


def _then(tag: str) -> list[Event]:
    """Return events about what the first ones made, and what some of those waited for."""
    said: dict[str, dict[str, Any]] = {
        "view": {"itemId": tag}, "addToCart": {"itemId": tag}, "open": {"shareId": f"{tag}-share"},
        "purchase": {"itemId": tag, "valueMinor": 2, "currency": "EUR", "shareId": f"{tag}-share"},
        "share": {
            "shareId": f"{tag}-then-share", "itemId": tag, "parentShareId": f"{tag}-share", "recipientIds": [f"{tag}b"],
        },
        "unfriend": {"friendId": f"{tag}b"}, "unfollow": {"friendId": f"{tag}b"}, "block": {"friendId": f"{tag}b"},
    }  # fmt: skip
    back = {"type": "refund", "valueMinor": 1}
    return [
        *({"eventId": f"{tag}-then-{kind}", "type": kind, "userId": tag, **more} for kind, more in said.items()),
        {"eventId": f"{tag}-later", "type": "share", "userId": f"{tag}b", "itemId": tag, "shareId": f"{tag}-later"},
        {"eventId": f"{tag}-refund", "purchaseEventId": f"{tag}-purchase", **back},
        {"eventId": f"{tag}-early-refund", "purchaseEventId": f"{tag}-never", **back},
    ]
