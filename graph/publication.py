"""Results into the graph as one version: the idle slot is written unseen, then one transaction flips what readers see.

docs/adr/0007 argues the design and says how to read. Who may write is decided in the graph: every batch runs under a
lock and only while its build number is the writer's, so a publisher that wakes up late changes nothing.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from engine.artifact import read_artifact
from engine.types import Artifact
from graph import jobs
from graph.canonical import finish_canonical
from graph.connection import Graph, Transaction
from graph.errors import ConflictError, GraphError, NotFoundError, UnavailableError
from graph.publication_rows import check, item_rows, user_rows
from graph.settings import Settings

BATCH_ROWS = 1000
"""Rows per transaction: the vector index takes small commits faster (its cost grows with the segment being built), and
events for the same users wait less."""
LEASE_S = 20.0
"""A publisher that writes nothing for this long may be replaced by another."""
READ_MARGIN_S = 3.0
"""Neo4j ends a transaction up to two seconds after its timeout; so much longer the idle slot is left alone."""
MODELS_LIMIT = 100

Progress = Callable[[float, str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What a publication did; times in seconds."""

    model_version: str
    publication_seq: int
    slot: str
    users: int
    items: int
    wait_s: float
    write_s: float
    canonical_s: float


@dataclass(frozen=True, slots=True)
class _Writer:
    build: int
    slot: str
    expected_seq: int
    quiet_s: float


def publish(
    graph: Graph,
    settings: Settings,
    artifact: Artifact,
    *,
    job_fence: jobs.Claim | None = None,
    progress: Progress | None = None,
    wait_s: float = 60.0,
    canonical: bool = True,
) -> PublishReport:
    """Make the artifact the version that readers see, then copy it to the analysts' names.

    Users without consent to `personalisation` when their row is written (or before the flip) are left out.

    Args:
        graph: the connection.
        settings: `read_timeout_s` decides how long the idle slot is left alone after the last flip.
        artifact: what to publish.
        job_fence: the flip happens only while this job is still the worker's.
        progress: told a fraction in [0, 1] and what is being done; what it raises stops the publication.
        wait_s: how long to wait for another publication that is under way.
        canonical: copy to the analysts' names after the flip (`finish_canonical` does it later otherwise).

    Raises:
        InputError: the artifact's arrays do not fit together or hold numbers that are not finite.
        ConflictError: another publication was under way or came between, or the job is lost; readers saw nothing.
        UnavailableError: Neo4j went away; readers saw nothing unless the flip was done.
    """
    check(artifact)
    tell = progress or (lambda fraction, doing: None)
    started = time.monotonic()
    writer = _begin(graph, settings, job_fence, wait_s)
    with _abandoned_on_error(graph, writer):
        _sit_out(graph, writer)
        wrote_from = time.monotonic()
        users, items = _write_slot(graph, writer, artifact, tell)
        _clear_slot(graph, writer)
        seq = _flip(graph, writer, artifact, job_fence)
    tell(0.8, f"{artifact.model_version} is live")
    flipped = time.monotonic()
    if canonical:
        finish_canonical(graph, lambda fraction: tell(0.8 + 0.2 * fraction, "copying for analysts"))
    return PublishReport(
        model_version=artifact.model_version,
        publication_seq=seq,
        slot=writer.slot,
        users=users,
        items=items,
        wait_s=wrote_from - started,
        write_s=flipped - wrote_from,
        canonical_s=time.monotonic() - flipped,
    )


def rollback(
    graph: Graph,
    settings: Settings,
    model_version: str | None = None,
    *,
    progress: Progress | None = None,
    canonical: bool = True,
) -> dict[str, Any]:
    """Publish an older version again under a new sequence number and return what is published.

    The version in the other slot (the default) is back at once, its rows untouched; older ones are written again from
    their artifact's folder.

    Raises:
        NotFoundError: nothing to go back to, or no such artifact any more.
        ConflictError: that version is the live one, or a publication is under way.
        ArtifactError: the artifact's folder is damaged.
    """
    wanted = model_version or _previous(graph)
    if not graph.transaction(lambda tx: _flip_back(tx, wanted)):
        folder = settings.artifacts / wanted
        if wanted not in {model["modelVersion"] for model in list_models(graph)} or not folder.is_dir():
            raise NotFoundError(f"there is no model {wanted} to go back to")
        publish(graph, settings, read_artifact(folder), progress=progress, canonical=canonical)
    elif canonical:
        finish_canonical(graph)
    now = published(graph)
    if now is None:
        raise NotFoundError("nothing is published")
    return now


def published(graph: Graph) -> dict[str, Any] | None:
    """Return what readers see (`slot build modelVersion publicationSeq flippedAt canonical`), None before the first.

    `canonical`: whether the analysts' names already hold this version.
    """
    rows = graph.read("publication.published")
    return rows[0] if rows else None


def list_models(graph: Graph) -> list[dict[str, Any]]:
    """Return the published models, the newest publication first, at most 100.

    Keys: `modelVersion snapshotId codeVersion metrics trainedAt publishedAt publicationSeq live inSlot`.
    """
    rows = graph.read("publication.models", limit=MODELS_LIMIT)
    return [{**row, "metrics": orjson.loads(row["metrics"] or "{}")} for row in rows]


def sweep_artifacts(graph: Graph, settings: Settings) -> list[str]:
    """Delete the oldest model folders beyond `KITH_KEPT_ARTIFACTS` and return their names.

    The versions in the two slots stay whatever their age; folders whose name begins with a dot are not models.
    """
    if not settings.artifacts.is_dir():
        return []
    in_slots = {model["modelVersion"] for model in list_models(graph) if model["inSlot"]}
    folders = [each for each in settings.artifacts.iterdir() if each.is_dir() and not each.name.startswith(".")]
    newest_first = sorted(folders, key=lambda each: each.stat().st_mtime, reverse=True)
    surplus = [each for each in newest_first[settings.kept_artifacts :] if each.name not in in_slots]
    for folder in surplus:
        shutil.rmtree(folder)
    return sorted(folder.name for folder in surplus)


def _begin(graph: Graph, settings: Settings, job: jobs.Claim | None, wait_s: float) -> _Writer:
    """Become the writer of the idle slot; the same job under a newer fence replaces its own dead publisher at once."""
    owner = job.job_id if job else uuid.uuid4().hex
    grace_ms = int((settings.read_timeout_s + READ_MARGIN_S) * 1000)

    def work(tx: Transaction) -> _Writer | None:
        state = _locked_state(tx, grace_ms)
        if job is not None:
            jobs.check_fence(tx, job)
        if state["writing"] and state["writerOwner"] != owner:
            return None
        slot = "b" if state["slot"] == "a" else "a"
        build = tx.run("publication.begin", owner=owner, slot=slot, lease_ms=int(LEASE_S * 1000))[0]["build"]
        return _Writer(build, slot, state["publicationSeq"], max(state["quietMs"], 0) / 1000)

    deadline = time.monotonic() + wait_s
    while (writer := graph.transaction(work)) is None:
        if time.monotonic() > deadline:
            raise ConflictError("another publication is under way")
        time.sleep(0.5)
    return writer


@contextlib.contextmanager
def _abandoned_on_error(graph: Graph, writer: _Writer) -> Iterator[None]:
    """Give the slot back when the publication fails, so that the next one need not wait for the lease to end."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(GraphError):
            graph.write_many([("publication.lock", {}), ("publication.abandon", {"build": writer.build})])
        raise


def _sit_out(graph: Graph, writer: _Writer) -> None:
    """Wait until no reader can still be in the slot that was live before the last flip."""
    until = time.monotonic() + writer.quiet_s
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, LEASE_S / 4))
        _as_writer(graph, writer, lambda tx: None)


def _as_writer(graph: Graph, writer: _Writer, work: Callable[[Transaction], T]) -> T:
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


def _write_slot(graph: Graph, writer: _Writer, artifact: Artifact, tell: Progress) -> tuple[int, int]:
    """Write every row of the slot in batches; return how many users and items were written."""
    total = len(artifact.user_ids) + len(artifact.item_ids)
    written = {"users": 0, "items": 0}
    done = 0
    for kind, count, rows_of in (
        ("items", len(artifact.item_ids), item_rows),
        ("users", len(artifact.user_ids), user_rows),
    ):
        for start in range(0, count, BATCH_ROWS):
            rows = rows_of(artifact, start, min(start + BATCH_ROWS, count))
            written[kind] += _write_batch(graph, writer, kind, rows)
            done += len(rows)
            tell(0.8 * done / total, f"writing {kind}")
    return written["users"], written["items"]


def _write_batch(graph: Graph, writer: _Writer, kind: str, rows: list[dict[str, Any]]) -> int:
    name = f"publication.write_{kind}"
    given = {"rows": rows, "slot": writer.slot, "build": writer.build}
    return _as_writer(graph, writer, lambda tx: tx.run(name, **given))[0]["written"]


def _clear_slot(graph: Graph, writer: _Writer) -> None:
    """Empty rows of older builds, and those of users whose consent went while the slot was written.

    After the last batch: a withdrawal that commits later finds every row committed and removes it itself.
    """
    given = {"slot": writer.slot, "build": writer.build, "limit": BATCH_ROWS}
    for step in ("clear_users", "clear_influence", "clear_items"):
        name = f"publication.{step}"
        while _as_writer(graph, writer, lambda tx, name=name: tx.run(name, **given))[0]["cleared"]:
            pass


def _flip(graph: Graph, writer: _Writer, artifact: Artifact, job: jobs.Claim | None) -> int:
    """Make the slot the live one and return the new sequence number."""
    if offline := graph.read("publication.indexes_offline", slot=writer.slot):
        raise UnavailableError(f"vector index {offline[0]['name']} is {offline[0]['state']}")
    numbers = {key: value for key, value in artifact.metrics.items() if type(value) in (int, float)}
    metrics = orjson.dumps(artifact.metrics, option=orjson.OPT_SERIALIZE_NUMPY).decode()

    def work(tx: Transaction) -> int:
        flipped = tx.run(
            "publication.flip",
            build=writer.build,
            slot=writer.slot,
            expected_seq=writer.expected_seq,
            model_version=artifact.model_version,
        )
        if not flipped:
            raise ConflictError("another publication came between")
        tx.run(
            "publication.record_model",
            model_version=artifact.model_version,
            snapshot_id=artifact.snapshot_id,
            code_version=artifact.code_version,
            trained_at_s=artifact.trained_at_s,
            metrics=metrics,
            figures=numbers,
            publication_seq=flipped[0]["publicationSeq"],
        )
        if job is not None:
            jobs.check_fence(tx, job)
        return flipped[0]["publicationSeq"]

    return _as_writer(graph, writer, work)


def _previous(graph: Graph) -> str:
    """Return the version in the other slot, else the one published before the live one."""
    models = [model for model in list_models(graph) if not model["live"]]
    if not models:
        raise NotFoundError("there is no earlier version to go back to")
    return next((model for model in models if model["inSlot"]), models[0])["modelVersion"]


def _flip_back(tx: Transaction, model_version: str) -> bool:
    """Make the other slot live again if it holds that version; False if it does not."""
    state = _locked_state(tx, 0)
    if state["writing"]:
        raise ConflictError("a publication is under way")
    if state["modelVersion"] == model_version:
        raise ConflictError(f"{model_version} is the published version")
    slot = "b" if state["slot"] == "a" else "a"
    build = state[f"build{slot.upper()}"]
    if build is None or state[f"modelVersion{slot.upper()}"] != model_version:
        return False
    rows = tx.run("publication.flip_back", slot=slot, build=build, expected_seq=state["publicationSeq"])
    tx.run("publication.record_again", model_version=model_version, publication_seq=rows[0]["publicationSeq"])
    return True


def _locked_state(tx: Transaction, grace_ms: int) -> dict[str, Any]:
    tx.run("publication.lock")
    return tx.run("publication.state", grace_ms=grace_ms)[0]
