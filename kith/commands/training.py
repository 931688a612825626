"""`kith train`: one job through the queue, or offline from a snapshot folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kith.card import trained_how
from kith.commands.arguments import add, add_subgraph, connect, settings, subgraph
from kith.jobs import follow, why_ended
from kith.terminal import fail, print_json, progress, say


def register(commands: Any) -> None:
    """Add the training command."""
    train = add(commands, "train", "train on the graph and publish the result as one version", run)
    train.add_argument("--wait", action="store_true", help="stay until the job has ended, showing its progress")
    train.add_argument("--seed", type=int, default=0, help="seed of every random choice (default 0)")
    train.add_argument("--epochs", type=int, help="at most this many epochs")
    train.add_argument("--settings", type=Path, metavar="FILE", help="settings of the encoder, from `kith tune`")
    train.add_argument(
        "--force", action="store_true", help="publish the version also if it is worse than the published one"
    )
    train.add_argument(
        "--incremental", action="store_true", help="a few steps further from the published version, or from --base"
    )
    train.add_argument("--base", type=Path, metavar="MODEL", help="the version to go on from, with --from")
    train.add_argument("--from", dest="source", type=Path, metavar="DIR", help="a snapshot folder; no services needed")
    train.add_argument("--out", type=Path, metavar="ARTIFACT", help="where to write the model, with --from")
    train.add_argument("--device", default="auto", help="auto (default), cpu or cuda, with --from")
    add_subgraph(train)


def run(arguments: argparse.Namespace) -> int:
    """Train in the queue, or here when `--from` names a snapshot."""
    if (arguments.source is None) != (arguments.out is None):
        fail("--from DIR and --out ARTIFACT belong together")
        return 2
    if arguments.base is not None and not arguments.source:
        fail("--base MODEL goes with --from DIR; without it the published version is gone on from")
        return 2
    if arguments.source and arguments.incremental != (arguments.base is not None):
        fail("with --from DIR, --incremental and --base MODEL belong together")
        return 2
    return _offline(arguments) if arguments.source else _queued(arguments)


def _offline(arguments: argparse.Namespace) -> int:
    from engine import artifact, training

    encoder = training.encoder_settings(arguments.settings, arguments.epochs, arguments.device)
    wanted = training.TrainSettings(seed=arguments.seed, encoder=encoder)
    limits = settings()
    with progress("train") as show:
        training.train(
            artifact.read_snapshot(arguments.source),
            wanted,
            arguments.out,
            lambda step: show(step["stage"], step["done"], step["total"], step["message"]),
            base=arguments.base,
            limits=training.Limits(limits.incremental_trainings, limits.full_training_days),
        )
    trained = artifact.read_artifact(arguments.out)
    if arguments.json:
        print_json({"modelVersion": trained.model_version, "artifact": str(arguments.out), "metrics": trained.metrics})
    else:
        say(f"{trained.model_version} -> {arguments.out}")
    return 0


def _queued(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from engine.tuning.space import read_settings
    from graph import jobs
    from workers import queue

    chosen = settings()
    options = {
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "force": arguments.force,
        "incremental": arguments.incremental,
        "settings": read_settings(arguments.settings) if arguments.settings else None,
        "subgraph": asdict(subgraph(arguments)),
    }
    with connect() as graph:
        job = jobs.create(graph, "train", options)
        queue.enqueue_training(chosen, job["jobId"])
        if not arguments.wait:
            print_json(job) if arguments.json else say(
                f"job {job['jobId']} queued; `kith train --wait` would follow it"
            )
            return 0
        ended = follow(graph, job["jobId"])
    if arguments.json:
        print_json(ended)
    elif ended["state"] == "done":
        say(f"published {ended['result'].get('modelVersion')}{trained_how(ended['result'].get('lineage'))}")
    else:
        fail(f"job {ended['jobId']} {ended['state']}: {why_ended(ended)}")
    return 0 if ended["state"] == "done" else 1
