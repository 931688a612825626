"""Who may write the idle slot, and the writing: every batch under one lock, only while its build is the writer's."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from engine.types import Artifact
from graph import jobs
from graph.connection import Graph, Transaction
from graph.errors import ConflictError, GraphError
from graph.pace import Pace
from graph.publication_rows import Row, item_rows, user_rows
from graph.settings import Settings

BATCH_ROWS = 500
"""Rows per transaction: the vector index takes small commits faster (its cost grows with the segment being built), and
events for the same users wait less."""
SHARED_ROWS = 200
"""Rows per transaction while others use the server: the garbage of larger ones makes readers wait."""
LEASE_S = 20.0
"""A publisher that writes nothing for this long may be replaced by another."""
READ_MARGIN_S = 3.0
"""Neo4j ends a transaction up to two seconds after its timeout; so much longer the idle slot is left alone."""

Progress = Callable[[float, str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Writer:
    """The right to write a slot, as long as `build` is the writer's number in the graph."""

    build: int
    slot: str
    expected_seq: int
    """The flip happens only if this is still the published sequence number."""
    quiet_s: float
    """How long the slot must still be left alone."""


def begin(graph: Graph, settings: Settings, job: jobs.Claim | None, wait_s: float) -> Writer:
    """Become the writer of the idle slot; the same job under a newer fence replaces its own dead publisher at once."""
    owner = job.job_id if job else uuid.uuid4().hex
    grace_ms = int((settings.read_timeout_s + READ_MARGIN_S) * 1000)

    def work(tx: Transaction) -> Writer | None:
        state = locked_state(tx, grace_ms)
        if job is not None:
            jobs.check_fence(tx, job)
        if state["writing"] and state["writerOwner"] != owner:
            return None
        slot = "b" if state["slot"] == "a" else "a"
        build = tx.run("publication.begin", owner=owner, slot=slot, lease_ms=int(LEASE_S * 1000))[0]["build"]
        return Writer(build, slot, state["publicationSeq"], max(state["quietMs"], 0) / 1000)

    deadline = time.monotonic() + wait_s
    while (writer := graph.transaction(work)) is None:
        if time.monotonic() > deadline:
            raise ConflictError("another publication is under way")
        time.sleep(0.5)
    return writer


@contextlib.contextmanager
def abandoned_on_error(graph: Graph, writer: Writer) -> Iterator[None]:
    """Give the slot back when the publication fails, so that the next one need not wait for the lease to end."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(GraphError):
            abandon(graph, writer)
        raise


def abandon(graph: Graph, writer: Writer) -> None:
    """Give the slot back unfinished; nothing happens if another publisher has taken over."""
    graph.write_many([("publication.lock", {}), ("publication.abandon", {"build": writer.build})])


def sit_out(graph: Graph, writer: Writer) -> None:
    """Wait until no reader can still be in the slot that was live before the last flip."""
    until = time.monotonic() + writer.quiet_s
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, LEASE_S / 4))
        as_writer(graph, writer, lambda tx: None)


def as_writer(graph: Graph, writer: Writer, work: Callable[[Transaction], T]) -> T:
    """Run `work` in a transaction under the writer's lock, only if `writer` still is the writer.

    Raises:
        ConflictError: another publisher has taken over.
    """

    def guarded(tx: Transaction) -> T:
        tx.run("publication.lock")
        if not tx.run("publication.renew", build=writer.build, lease_ms=int(LEASE_S * 1000)):
            raise ConflictError("another publication has taken over this one's slot")
        return work(tx)

    return graph.transaction(guarded)


def locked_state(tx: Transaction, grace_ms: int) -> dict[str, Any]:
    """Return who writes, what the slots hold and what is live; nobody can change it before the transaction ends."""
    tx.run("publication.lock")
    return tx.run("publication.state", grace_ms=grace_ms)[0]


def write_slot(graph: Graph, writer: Writer, artifact: Artifact, tell: Progress) -> tuple[int, int]:
    """Write every row of the slot in batches; return how many users and items were written."""
    total = len(artifact.user_ids) + len(artifact.item_ids)
    written = {"users": 0, "items": 0}
    done = 0
    pace = Pace(graph)
    for kind, count, rows_of in (
        ("items", len(artifact.item_ids), item_rows),
        ("users", len(artifact.user_ids), user_rows),
    ):
        for rows in _ahead(rows_of, artifact, count, pace):
            written[kind] += pace.step(partial(_write_batch, graph, writer, kind, rows))
            done += len(rows)
            tell(0.8 * done / total, f"writing {kind}")
    return written["users"], written["items"]


def _ahead(
    rows_of: Callable[[Artifact, int, int], list[Row]], artifact: Artifact, count: int, pace: Pace
) -> Iterator[list[Row]]:
    """Yield the rows batch by batch; the next batch is made while the server writes this one."""
    with ThreadPoolExecutor(1) as maker:
        made, start = None, 0
        while start < count:
            stop = min(start + pace.rows(BATCH_ROWS, SHARED_ROWS), count)
            following = maker.submit(rows_of, artifact, start, stop)
            if made:
                yield made.result()
            made, start = following, stop
        if made:
            yield made.result()


def _write_batch(graph: Graph, writer: Writer, kind: str, rows: list[dict[str, Any]]) -> int:
    name = f"publication.write_{kind}"
    given = {"rows": rows, "slot": writer.slot, "build": writer.build}
    return as_writer(graph, writer, lambda tx: tx.run(name, **given))[0]["written"]


def clear_slot(graph: Graph, writer: Writer) -> None:
    """Empty rows of older builds, and those of users whose consent went while the slot was written.

    After the last batch: a withdrawal that commits later finds every row committed and removes it itself.
    """
    given = {"slot": writer.slot, "build": writer.build, "limit": BATCH_ROWS}
    for step in ("clear_users", "clear_influence", "clear_items"):
        name = f"publication.{step}"
        while as_writer(graph, writer, lambda tx, name=name: tx.run(name, **given))[0]["cleared"]:
            pass
