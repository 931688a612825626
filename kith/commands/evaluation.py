"""`kith evaluate TASK` and `kith bench NAME`: figures that anyone can make again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kith.commands.arguments import add, duration_s, settings
from kith.terminal import Progress, fail, print_json, progress

Task = Callable[[argparse.Namespace, Progress], dict[str, Any]]


def register(commands: Any) -> None:
    """Add the commands that measure."""
    evaluate = add(commands, "evaluate", "score a method on a public data set, offline", run_evaluation)
    evaluate.add_argument("task", choices=tuple(TASKS))
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--seed", type=int, default=0)
    interest = evaluate.add_argument_group("interest")
    interest.add_argument("--split", choices=("80/20",), help="merge train and test and cut them again")
    cold = evaluate.add_argument_group("cold-start")
    cold.add_argument("--draws", type=int, default=5, metavar="N", help="how often users are stripped (default 5)")
    cold.add_argument("--without-texts", action="store_true", help="describe items without the vectors of their texts")
    parts = evaluate.add_argument_group("encoder")
    parts.add_argument("--only", nargs="+", default=(), metavar="ROW", help="train these variants alone")
    further = evaluate.add_argument_group("incremental")
    further.add_argument("--on-cut", action="store_true", help="hold a tenth of the training file out; no test file")
    sizes = evaluate.add_argument_group("cascade-size")
    sizes.add_argument("--after", type=duration_s, default=3_600.0, metavar="TIME", help="window (default 1h)")
    sizes.add_argument("--at", type=duration_s, default=86_400.0, metavar="TIME", help="horizon (default 24h)")
    sharing = evaluate.add_argument_group("share-target")
    sharing.add_argument("--test", type=Path, metavar="FILE", help="the events that are scored")
    sharing.add_argument(
        "--history", type=Path, action="append", default=[], metavar="FILE", help="more events before the test's"
    )
    sharing.add_argument("--online", action="store_true", help="events of the test are history once they are past")
    spreading = evaluate.add_argument_group("influence")
    spreading.add_argument("--model", default="wc", help="wc, ic:P, or a file of `u v p` lines (default wc)")
    spreading.add_argument("--seeds", type=int, default=50, metavar="K", help="how many (default 50)")
    spreading.add_argument("--epsilon", type=float, default=0.1, help="of the guarantee (default .1)")
    spreading.add_argument("--budget-s", type=float, default=0.0, metavar="T", help="processor seconds to spend")
    joining = evaluate.add_argument_group("friend-propagation")
    joining.add_argument("--png", type=Path, metavar="FILE", help="draw what was observed against what was predicted")
    following = evaluate.add_argument_group("next-sharer")
    following.add_argument(
        "--rolling", action="store_true", help="against counting at five time cuts before the test, in pairs; no test"
    )
    bench = add(commands, "bench", "measure one part beside the usual way, in one run", run_bench)
    bench.add_argument(
        "name",
        choices=(
            "cascades",
            "diversity",
            "export",
            "forecasts",
            "influence",
            "ingest",
            "load",
            "publish",
            "serving",
            "start",
            "ties",
        ),
    )
    bench.add_argument("--size", choices=("tiny", "small", "full", "huge"), default="small")


def run_evaluation(arguments: argparse.Namespace) -> int:
    """Score on the test file once; the last line is one JSON object."""
    if not arguments.data.is_dir():
        fail(f"{arguments.data}: no such folder")
        return 2
    with progress("evaluate") as show:
        found = TASKS[arguments.task](arguments, show)
    print_json(found)
    return 0


def _interest(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.interest.evaluate import evaluate_interest

    return evaluate_interest(
        arguments.data,
        split=arguments.split,
        seed=arguments.seed,
        report=lambda step: show(step["stage"], step["done"], step["total"], step["message"]),
    )


def _cold_start(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.interest.coldstart import evaluate_cold_start

    return evaluate_cold_start(
        arguments.data,
        draws=arguments.draws,
        seed=arguments.seed,
        report=lambda step: show(step["stage"], step["done"], step["total"], step["message"]),
        texts=not arguments.without_texts,
    )


def _encoder(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.interest.encoder_ablation import evaluate_encoder

    return evaluate_encoder(
        arguments.data,
        seed=arguments.seed,
        only=tuple(arguments.only),
        report=lambda step: show(step["stage"], step["done"], step["total"], step["message"]),
    )


def _incremental(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.interest.incremental_evaluation import evaluate_incremental

    return evaluate_incremental(
        arguments.data,
        seed=arguments.seed,
        report=lambda step: show(step["stage"], step["done"], step["total"], step["message"]),
        on_cut=arguments.on_cut,
    )


def _cascade_size(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.propagation.size_evaluation import evaluate_sizes

    return evaluate_sizes(
        arguments.data,
        after_s=arguments.after,
        at_s=arguments.at,
        seed=arguments.seed,
        report=lambda done, total: show("origins", done, total),
    )


def _share_target(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.errors import DataError
    from engine.propagation.sharetarget.evaluate import evaluate_share_targets

    if arguments.test is None:
        raise DataError("share-target needs --test FILE, the events that are scored")
    return evaluate_share_targets(
        arguments.data,
        arguments.test,
        arguments.history,
        online=arguments.online,
        seed=arguments.seed,
        report=show,
    )


def _new_links(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.propagation.sharetarget.newlinks import evaluate_new_links

    return evaluate_new_links(arguments.data, seed=arguments.seed, report=show)


def _influence(arguments: argparse.Namespace, _show: Progress) -> dict[str, Any]:
    from engine.influence.evaluate import evaluate_influence

    return evaluate_influence(
        arguments.data,
        arguments.model,
        seeds=arguments.seeds,
        epsilon=arguments.epsilon,
        budget_s=arguments.budget_s,
        seed=arguments.seed,
    )


def _friend_propagation(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.errors import DataError
    from engine.propagation.friendpropagation.evaluate import evaluate_friends

    if arguments.png is not None and not arguments.png.parent.is_dir():
        raise DataError(f"{arguments.png.parent}: no such folder")
    found = evaluate_friends(arguments.data, seed=arguments.seed, report=show)
    if arguments.png is not None:
        from kith.picture import draw_reliability

        draw_reliability(found["reliability"], f"friend-propagation, {arguments.data.name}", arguments.png)
    return found


def _next_sharer(arguments: argparse.Namespace, show: Progress) -> dict[str, Any]:
    from engine.propagation.nextsharer.evaluate import evaluate_next_sharer

    return evaluate_next_sharer(arguments.data, arguments.seed, rolling=arguments.rolling, report=show)


TASKS: dict[str, Task] = {
    "interest": _interest,
    "cold-start": _cold_start,
    "encoder": _encoder,
    "incremental": _incremental,
    "cascade-size": _cascade_size,
    "share-target": _share_target,
    "new-links": _new_links,
    "influence": _influence,
    "friend-propagation": _friend_propagation,
    "next-sharer": _next_sharer,
}
"""What can be evaluated; each entry imports what it needs when it runs."""


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
