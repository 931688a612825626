"""`kith tune` and `kith tensorboard`: settings of the encoder by search, and the curves of trainings and trials."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

from kith.commands.arguments import add, settings
from kith.terminal import fail, print_json, progress, say, table

SHOWN = 20
"""Trials in the table, the best first."""


def register(commands: Any) -> None:
    """Add the commands."""
    tune = add(commands, "tune", "search for settings of the encoder on repeated cuts of the training data", run)
    source = tune.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="a benchmark folder; its test file is not read")
    source.add_argument("--from", dest="source", type=Path, metavar="SNAPSHOT", help="a snapshot folder")
    tune.add_argument("--trials", type=int, default=20, metavar="N", help="trials in all (default 20)")
    tune.add_argument("--cuts", type=int, default=3, metavar="K", help="cuts that each trial is run on (default 3)")
    tune.add_argument("--budget-s", type=float, default=3_600.0, metavar="T", help="seconds (default 3600)")
    tune.add_argument("--seed", type=int, default=0)
    tune.add_argument("--out", type=Path, default=Path("tuned.json"), metavar="FILE", help="default tuned.json")
    tune.add_argument(
        "--study", type=Path, metavar="FILE", help="what was tried, to go on from (default: beside --out, .study.jsonl)"
    )
    tune.add_argument("--logs", type=Path, metavar="DIR", help="TensorBoard runs, one folder per trial")
    board = add(commands, "tensorboard", "show the curves of trainings in TensorBoard, on this machine", show_curves)
    board.add_argument("--logs", type=Path, metavar="DIR", help="default: those of the trainings of this home")
    board.add_argument("--port", type=int, default=6006)


def run(arguments: argparse.Namespace) -> int:
    """Search, print a table, write the settings."""
    from engine.tuning.tune import TuneSettings, tune_folder

    source = arguments.data or arguments.source
    if not source.is_dir():
        fail(f"{source}: no such folder")
        return 2
    wanted = TuneSettings(
        trials=arguments.trials, cuts=arguments.cuts, budget_s=arguments.budget_s, seed=arguments.seed
    )
    with progress("tune") as show:
        found = tune_folder(
            arguments.data,
            arguments.source,
            wanted,
            study=arguments.study or arguments.out.with_suffix(".study.jsonl"),
            out=arguments.out,
            logs=arguments.logs,
            tell=show,
        )
    if arguments.json:
        print_json(found)
    else:
        _show(found)
    return 0


def _show(found: dict[str, Any]) -> None:
    best_first = sorted(found["tried"], key=lambda row: (-row["cuts"], -(row["ndcg@20"] or 0.0)))
    rows = [
        (
            row["trial"],
            row["cuts"],
            row["ndcg@20"],
            row["standardError"],
            "yes" if row["isStopped"] else "",
            ", ".join(f"{name} {value:g}" for name, value in row["settings"].items()),
        )
        for row in best_first[:SHOWN]
    ]
    table(("trial", "cuts", "NDCG@20", "standard error", "stopped", "settings"), rows)
    confirmed = found["confirmed"]
    if confirmed:
        error = confirmed["standardError"]
        say(
            f"on {confirmed['cuts']} fresh cuts: {confirmed['best']:.4f} against {confirmed['default']:.4f}, "
            f"difference {confirmed['difference']:+.4f}" + ("" if error is None else f" (standard error {error:.4f})")
        )
    study = found["study"]
    say(f"{study['trials']} trials, {study['stoppedEarly']} stopped early, {found['seconds']:.0f} s")
    if not study["isComplete"]:
        say("the budget ended first: the same command goes on from here")
    say(f"{found['out']}: {found['why']}")


def show_curves(arguments: argparse.Namespace) -> int:
    """Run TensorBoard on loopback until it is interrupted."""
    if importlib.util.find_spec("tensorboard") is None:
        fail("TensorBoard is not installed: it comes with the extra `train` (pip install 'kithgraph[train]')")
        return 2
    logs = arguments.logs or settings().logs / "tensorboard"
    if not logs.is_dir():
        fail(f"{logs}: no curves there yet; trainings write them (`kith train`), and `kith tune --logs DIR`")
        return 2
    say(f"TensorBoard of {logs} on http://127.0.0.1:{arguments.port}/ (Ctrl-C ends it)")
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--host", "127.0.0.1"]
    return subprocess.run([*command, "--port", str(arguments.port)], check=False).returncode
