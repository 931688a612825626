"""How the graph's own machinery is doing: what `/metrics` shows and `kith doctor` judges, in short reads."""

from __future__ import annotations

from typing import Any

from graph.connection import Graph, Transaction
from graph.errors import GraphError


def state(graph: Graph, *, timeout_s: float) -> dict[str, Any]:
    """Return publication, last sweep and stocks; ages in seconds by the server's clock, None where there is nothing.

    Keys: `modelVersion publicationSeq trainedAgeS fullTrainingAgeS publishedAgeS writing writerOverdueS sweptAgeS
    serverTimeS ledgerEvents pendingEvents pendingS expiredEvents alerts sizeModelAgeS uncountedNotes uncountedS`.
    `fullTrainingAgeS`: since the snapshot of the full training that the version stems from; `writing`: somebody has
    begun to write the idle slot and neither finished nor given it back; `writerOverdueS`: how long ago that one's lease
    ended, negative while it lasts; `serverTimeS`: seconds since 1970; `pendingS`: since when the oldest event waits for
    what it names; `expiredEvents`: how many waited too long and were dropped, ever; `alerts`: `{kind, code, alerts}` of
    those that are kept; `sizeModelAgeS`: since when the model of how cascades grow was learned; `uncountedS`: since
    when a note on cascades has not been counted.

    Raises:
        UnavailableError: no answer within `timeout_s`.
    """

    def read(tx: Transaction) -> dict[str, Any]:
        return {**tx.run("monitor.state")[0], **tx.run("monitor.waiting")[0], "alerts": tx.run("monitor.alerts")}

    return graph.transaction(read, read_only=True, timeout_s=timeout_s)


def job_counts(graph: Graph, *, timeout_s: float) -> list[dict[str, Any]]:
    """Return `kind state jobs expired oldestS leaseOverdueS` for each kind and state that occurs.

    `expired`: how many of them have a lease that has ended; `oldestS`: since when the oldest was asked for, seconds;
    `leaseOverdueS`: how long ago the first lease ended, negative while all last, None without any.

    Raises:
        UnavailableError: no answer within `timeout_s`.
    """
    return graph.read("monitor.jobs", timeout_s=timeout_s)


def note_sweep(graph: Graph) -> None:
    """Say that a sweeper has just done its round, so that its absence can be seen.

    Raises:
        UnavailableError: no answer.
    """
    graph.write("monitor.note_sweep")


def takes_writes(graph: Graph) -> bool:
    """Whether a write of Kith's own succeeds now: what fails beside it fails for a reason of its own."""
    try:
        graph.write("monitor.try_write")
    except GraphError:
        return False
    return True
