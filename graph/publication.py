"""Results into the graph as one version: the idle slot is written unseen, then one transaction flips what readers see.

docs/adr/0007-publication-in-two-slots.md argues the design and says how to read.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from engine.artifact import card, read_artifact
from engine.serving.lineage import of_card
from engine.types import Artifact
from graph import jobs
from graph.canonical import finish_canonical
from graph.connection import Graph, Transaction
from graph.errors import ConflictError, NotFoundError, SupersededError, UnavailableError
from graph.publication_rows import check
from graph.settings import Settings
from graph.slots import (
    Progress,
    Writer,
    abandoned_on_error,
    as_writer,
    begin,
    clear_slot,
    locked_state,
    sit_out,
    write_slot,
)

MODELS_LIMIT = 100


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


def publish(
    graph: Graph,
    settings: Settings,
    artifact: Artifact,
    *,
    job_fence: jobs.Claim | None = None,
    progress: Progress | None = None,
    wait_s: float = 60.0,
    canonical: bool = True,
    comparison: Mapping[str, Any] | None = None,
    over_seq: int | None = None,
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
        comparison: how it did against the version that is published, kept with it.
        over_seq: the sequence number of the publication that it was compared with.

    Raises:
        SupersededError: another version has been published since then; readers saw nothing.
        InputError: the artifact's arrays do not fit together or hold numbers that are not finite.
        ConflictError: another publication was under way or came between, or the job is lost; readers saw nothing.
        UnavailableError: Neo4j went away; readers saw nothing unless the flip was done.
    """
    check(artifact)
    tell = progress or (lambda fraction, doing: None)
    started = time.monotonic()
    writer = begin(graph, settings, job_fence, wait_s)
    with abandoned_on_error(graph, writer):
        if over_seq is not None and writer.expected_seq != over_seq:
            raise SupersededError("another version was published meanwhile")
        sit_out(graph, writer)
        wrote_from = time.monotonic()
        users, items = write_slot(graph, writer, artifact, tell)
        clear_slot(graph, writer)
        seq = _flip(graph, writer, artifact, job_fence, comparison)
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
    job_fence: jobs.Claim | None = None,
    progress: Progress | None = None,
    canonical: bool = True,
) -> dict[str, Any]:
    """Publish an older version again under a new sequence number and return what is published.

    The version in the other slot (the default) is back at once, its rows untouched; older ones are written again from
    their artifact's folder.

    Args:
        graph: the connection.
        settings: where the artifacts lie.
        model_version: which one; the one in the other slot, else the one published before.
        job_fence: the flip happens only while this job is still the worker's.
        progress: told a fraction in [0, 1] and what is being done.
        canonical: copy to the analysts' names after the flip.

    Raises:
        NotFoundError: nothing to go back to, or no such artifact any more.
        ConflictError: that version is the live one, a publication is under way, or the job is lost.
        ArtifactError: the artifact's folder is damaged.
    """
    wanted = model_version or _previous(graph)
    if not graph.transaction(lambda tx: _flip_back(tx, wanted, job_fence)):
        folder = settings.artifacts / wanted
        if not was_published(graph, wanted) or not folder.is_dir():
            raise NotFoundError(f"there is no model {wanted} to go back to")
        artifact = read_artifact(folder)
        publish(graph, settings, artifact, job_fence=job_fence, progress=progress, canonical=canonical)
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
    """Return the models that were published or held back, the newest first, at most 100.

    Keys: `modelVersion snapshotId codeVersion summary comparison trainedAt publishedAt heldAt publicationSeq live
    heldBack inSlot`. `publicationSeq` is None where a model was never published.
    """
    found = []
    for row in graph.read("publication.models", limit=MODELS_LIMIT):
        metrics = row.pop("metrics")
        told = orjson.loads(row["summary"]) if row["summary"] else card.summary(orjson.loads(metrics or "{}"))
        found.append({**row, "summary": told, "comparison": orjson.loads(row["comparison"] or "null")})
    return found


def show_model(graph: Graph, model_version: str) -> dict[str, Any]:
    """Return one model, keys as in `list_models` with the whole `card` for the summary.

    Raises:
        NotFoundError: no such model was ever published or held back.
    """
    rows = graph.read("publication.model", model_version=model_version)
    if not rows:
        raise NotFoundError(f"there is no model {model_version}; `kith models list` names them")
    row = rows[0]
    return {**row, "card": orjson.loads(row["card"] or "{}"), "comparison": orjson.loads(row["comparison"] or "null")}


def was_published(graph: Graph, model_version: str) -> bool:
    """Whether the version was the live one at any time."""
    rows = graph.read("publication.model", model_version=model_version)
    return bool(rows) and rows[0]["publicationSeq"] is not None


def record_of(artifact: Artifact, comparison: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the graph keeps of a model: its card, bounded, a summary, and numbers to query by."""
    option = orjson.OPT_SERIALIZE_NUMPY
    figures = {key: value for key, value in artifact.metrics.items() if type(value) in (int, float)}
    if lineage := of_card(artifact.metrics):
        figures["fullWatermarkS"] = lineage.full_watermark_s
    return {
        "model_version": artifact.model_version,
        "snapshot_id": artifact.snapshot_id,
        "code_version": artifact.code_version,
        "trained_at_s": artifact.trained_at_s,
        "metrics": orjson.dumps(card.bounded(artifact.metrics), option=option).decode(),
        "summary": orjson.dumps(card.summary(artifact.metrics), option=option).decode(),
        "comparison": None if comparison is None else orjson.dumps(comparison, option=option).decode(),
        "figures": figures,
    }


def sweep_artifacts(graph: Graph, settings: Settings) -> list[str]:
    """Delete the oldest model folders beyond `KITH_KEPT_ARTIFACTS` and return their names.

    The versions in the two slots stay whatever their age, and the full ones that their chains began with, which a full
    training is compared with. Folders whose name begins with a dot are not models.
    """
    if not settings.artifacts.is_dir():
        return []
    in_slots = [model for model in list_models(graph) if model["inSlot"]]
    needed = {model["modelVersion"] for model in in_slots}
    needed |= {(model["summary"].get("lineage") or {}).get("full") for model in in_slots}
    folders = [each for each in settings.artifacts.iterdir() if each.is_dir() and not each.name.startswith(".")]
    newest_first = sorted(folders, key=lambda each: each.stat().st_mtime, reverse=True)
    surplus = [each for each in newest_first[settings.kept_artifacts :] if each.name not in needed]
    for folder in surplus:
        shutil.rmtree(folder)
    return sorted(folder.name for folder in surplus)


def _flip(
    graph: Graph,
    writer: Writer,
    artifact: Artifact,
    job: jobs.Claim | None,
    comparison: Mapping[str, Any] | None = None,
) -> int:
    """Make the slot the live one and return the new sequence number."""
    if offline := graph.read("publication.indexes_offline", slot=writer.slot):
        raise UnavailableError(f"vector index {offline[0]['name']} is {offline[0]['state']}")
    record = record_of(artifact, comparison)

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
        tx.run("publication.record_model", **record, publication_seq=flipped[0]["publicationSeq"])
        if job is not None:
            jobs.check_fence(tx, job)
        return flipped[0]["publicationSeq"]

    return as_writer(graph, writer, work)


def _previous(graph: Graph) -> str:
    """Return the version in the other slot, else the one published before the live one."""
    models = [model for model in list_models(graph) if not model["live"] and model["publicationSeq"] is not None]
    if not models:
        raise NotFoundError("there is no earlier version to go back to")
    return next((model for model in models if model["inSlot"]), models[0])["modelVersion"]


def _flip_back(tx: Transaction, model_version: str, job: jobs.Claim | None) -> bool:
    """Make the other slot live again if it holds that version; False if it does not."""
    state = locked_state(tx, 0)
    if job is not None:
        jobs.check_fence(tx, job)
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
