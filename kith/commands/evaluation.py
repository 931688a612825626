"""`kith evaluate TASK` and `kith bench NAME`: figures that anyone can make again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kith.commands.arguments import add, settings
from kith.terminal import fail, print_json, progress


def register(commands: Any) -> None:
    """Add the commands that measure."""
    evaluate = add(commands, "evaluate", "score a method on a public data set, offline", run_evaluation)
    evaluate.add_argument("task", choices=("interest",))
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--split", choices=("80/20",), help="merge train and test and cut them again")
    evaluate.add_argument("--seed", type=int, default=0)
    bench = add(commands, "bench", "measure one part beside the usual way, in one run", run_bench)
    bench.add_argument("name", choices=("export", "ingest", "load", "publish", "start"))
    bench.add_argument("--size", choices=("tiny", "small", "full", "huge"), default="small")


def run_evaluation(arguments: argparse.Namespace) -> int:
    """Score on the test file once; the last line is one JSON object."""
    from engine.interest.evaluate import evaluate_interest

    if not arguments.data.is_dir():
        fail(f"{arguments.data}: no such folder")
        return 2
    with progress("evaluate") as show:
        found = evaluate_interest(
            arguments.data,
            split=arguments.split,
            seed=arguments.seed,
            report=lambda step: show(step["stage"], step["done"], step["total"], step["message"]),
        )
    print_json(found)
    return 0


def run_bench(arguments: argparse.Namespace) -> int:
    """Run one benchmark; the last line is one JSON object."""
    from importlib import import_module

    bench = import_module(f"benchmarks.{arguments.name}")
    try:
        print_json(bench.run(settings(), size=arguments.size))
    except ValueError as error:  # not every benchmark has every size
        fail(str(error))
        return 2
    return 0
