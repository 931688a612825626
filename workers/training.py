"""One training job: snapshot out of the graph, a fresh child that trains, the result published as one version."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import orjson

from engine.artifact import read_artifact, write_snapshot
from engine.serving.lineage import IN_FULL
from graph import adoption
from graph.connection import Graph
from graph.errors import NotFoundError
from graph.jobs import Claim
from graph.promotion import promote
from graph.publication import published
from graph.settings import Settings
from graph.snapshot import SubgraphOptions, export, settle
from workers import child
from workers.watch import Watch

EXPORTED, TRAINED = 0.1, 0.85
"""Progress of a job when it has been exported, and trained."""


def train_and_publish(graph: Graph, settings: Settings, claim: Claim, watch: Watch) -> dict[str, Any]:
    """Do the job and return its result; whatever fails, the published version stays as it was.

    Raises:
        JobStopped: someone asked for it, or another worker has the job.
        HeldBackError: the version is worse than the published one; it is kept, not published.
        NotFoundError: an incremental training was asked for, and there is no version to go on from.
        ChildFailedError, EngineError, GraphError, OSError: a stage failed.
    """
    # By attempt: the trainer of a frozen worker goes on writing after another worker has taken the job.
    snapshot_folder = settings.snapshots / f"{claim.job_id}-{claim.fence}"
    partial = settings.artifacts / f".{claim.job_id}-{claim.fence}"
    base = _base(graph, settings) if claim.options.get("incremental") else None
    try:
        for leftover in (
            *settings.snapshots.glob(f"{claim.job_id}-*"),
            *settings.artifacts.glob(f".{claim.job_id}-*"),
        ):
            _remove(leftover)
        snapshot_id = _export(graph, settings, claim, watch, snapshot_folder)
        _train(settings, claim, watch, snapshot_folder, partial, base=base)
        artifact = read_artifact(partial)
        watch.confirm()
        # Where it is there already, the same training ran before and died before it was published.
        adoption.keep(settings, partial, artifact.model_version)
        report, comparison = promote(
            graph,
            settings,
            artifact,
            force=bool(claim.options.get("force")),
            job_fence=claim,
            progress=lambda fraction, doing: watch.report(TRAINED + (1 - TRAINED) * fraction, "publish", doing),
        )
    finally:
        for leftover in (snapshot_folder, partial, _settings_file(snapshot_folder)):
            _remove(leftover)
    return {
        "modelVersion": report.model_version,
        "publicationSeq": report.publication_seq,
        "snapshotId": snapshot_id,
        "users": report.users,
        "items": report.items,
        "publishS": round(report.write_s, 3),
        "lineage": artifact.metrics.get("lineage"),
        "comparison": comparison,
        "metrics": artifact.metrics,
    }


def _base(graph: Graph, settings: Settings) -> Path:
    """Return the folder of the published version, which an incremental training goes on from.

    Raises:
        NotFoundError: nothing is published, or its folder is not on this machine.
    """
    live = published(graph)
    if live is None:
        raise NotFoundError(f"no version is published that could be gone on from: {IN_FULL}")
    folder = settings.artifacts / live["modelVersion"]
    if not folder.is_dir():
        raise NotFoundError(f"{live['modelVersion']}, the published version, is not on this machine: {IN_FULL}")
    return folder


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _settings_file(snapshot_folder: Path) -> Path:
    return snapshot_folder.with_name(f"{snapshot_folder.name}-settings.json")


def _export(graph: Graph, settings: Settings, claim: Claim, watch: Watch, folder: Path) -> str:
    watch.report(0.0, "export")
    given = claim.options.get("subgraph") or {}
    settle(graph, watch.check)
    options = SubgraphOptions(**{**given, "seeds": tuple(given.get("seeds") or ())})
    snapshot = export(graph, settings, options, progress=lambda *_: watch.check())
    watch.report(EXPORTED / 2, "export", f"{len(snapshot.users)} users, {len(snapshot.items)} items")
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_snapshot(snapshot, folder)
    return snapshot.snapshot_id


def _train(settings: Settings, claim: Claim, watch: Watch, source: Path, out: Path, *, base: Path | None) -> None:
    watch.report(EXPORTED, "train", "starting")
    out.parent.mkdir(parents=True, exist_ok=True)

    furthest = 0.0

    def on_line(step: dict[str, Any]) -> None:
        nonlocal furthest
        total = float(step.get("total") or 0)
        share = float(step.get("done") or 0) / total if total > 0 else 0.0
        # Each stage counts from its own beginning; a job goes forward only.
        furthest = max(furthest, min(max(share, 0.0), 1.0))
        message = f"{step.get('stage', '')}: {step.get('message', '')}".strip(": ")
        watch.report(EXPORTED + (TRAINED - EXPORTED) * furthest, "train", message)

    tuned = Path(settings.train_settings) if settings.train_settings else None
    if claim.options.get("settings"):
        tuned = _settings_file(source)
        tuned.write_bytes(orjson.dumps({"encoder": claim.options["settings"]}))
    line = command(claim.options, source, out, settings.logs / "tensorboard" / claim.job_id, tuned)
    if base is not None:
        line += ["--base", str(base), "--chain", str(settings.incremental_trainings)]
        line += ["--full-days", str(settings.full_training_days)]
    child.run(
        line,
        log_file=settings.logs / f"train-{claim.job_id}.log",
        limit_s=settings.train_timeout_s,
        on_line=on_line,
        check=watch.check,
    )


def command(options: dict[str, Any], source: Path, out: Path, logs: Path, tuned: Path | None = None) -> list[str]:
    """Return the command line of the training child."""
    line = [sys.executable, "-m", "engine.training", "--from", str(source), "--out", str(out), "--progress-json"]
    line += ["--seed", str(options.get("seed") or 0), "--logs", str(logs)]
    line += ["--settings", str(tuned)] if tuned else []
    return [*line, "--epochs", str(options["epochs"])] if options.get("epochs") else line
