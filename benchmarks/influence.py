"""Seed sets and influence scores: how fast, how good, how they grow; beside SUBSIM where it can be had.

On the public graphs beside the checkout (`../shared/data`, where they are) and, if a program `subsim` is on the path
(Guo et al., SIGMOD 2020; its repository is github qtguo/subsim), both in turn: our processor seconds and its own figure
for the same certificate (medians, and its best round); and, within its time for eps = .01, our spread over that of
greedy choice on a pool of twelve million RR sets, both judged by one simulation. Without it, ours alone. Then generated
power-law graphs of 10^5 to 10^7 edges: seconds and memory, with one probability for each receiver and with one for each
edge, on one thread and two. Last, in the demo's world, whose truth is known: how scores under the learned probabilities
order users by their true spread, beside degree and PageRank.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.influence import rrsets
from engine.influence.coverage import Limits, choose
from engine.influence.diffusion import simulate
from engine.influence.evaluate import read_graph
from engine.influence.pagerank import reversed_pagerank
from engine.influence.scoring import percentiles, score_users
from engine.influence.seeding import Effort, choose_seeds
from engine.propagation.estimation import edge_probabilities
from engine.types import EdgeProbabilities, SeedSet
from engine.world import WorldSettings, generate, to_snapshot
from graph.settings import Settings

DATA = Path(__file__).parents[2] / "shared" / "data"
GRAPHS = {"small": ("nethept",), "full": ("nethept", "soc-epinions")}
MODELS = {"wc": ("-pdist=wc",), "ic:0.01": ("-pdist=uniform", "-pedge=0.01")}
SEEDS = (10, 50, 200)
GROWTH = {"small": (100_000, 1_000_000), "full": (100_000, 1_000_000, 10_000_000)}
WORLDS = {"small": WorldSettings(users=1_000, items=600, events=30_000), "full": WorldSettings()}
NODES_PER_EDGE = 0.1
ROUNDS = 9
CEILING_SETS = 12_000_000
RUNS = {"nethept": {"wc": 20_000, "ic:0.01": 200_000}, "soc-epinions": {"wc": 1_000, "ic:0.01": 20_000}}
TOLD = {"seconds": r"\|Time \(sec\): ([\d.e+-]+)", "sets": r"\|#RR sets: (\d+)"}


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Measure and return the figures.

    Returns:
        `graphs`: a row for each graph, model and k, or why there is none; `growth`: a row for each number of edges;
        `world`: for each way to order users, `spearman` with the true spread, and the mean true spread of its `first`
        hundredth.

    Raises:
        ValueError: there is no such size.
    """
    if size not in GROWTH:
        raise ValueError(f"size is {size!r}; choose {', '.join(GROWTH)}")
    _choose(rrsets.prepare(_power_law(1_000, 100)), 3, 0)  # compiles
    growth = [_growth(edges) for edges in GROWTH[size]]  # first: its memory is the process's so far
    rows: Any = "no ../shared/data beside the checkout: public graphs are left out"
    if DATA.is_dir():
        rows = [row for name in GRAPHS[size] for row in _public(name, settings)]
    return {
        "graphs": rows,
        "subsim": shutil.which("subsim") is not None,
        "growth": growth,
        "world": _world(WORLDS[size]),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _public(name: str, settings: Settings) -> Iterator[dict[str, Any]]:
    for model, options in MODELS.items():
        edges = read_graph(DATA / name / "edges.txt", model)
        network = rrsets.prepare(edges)
        pool_sets = round(CEILING_SETS * network.mass / network.nodes)
        pool = rrsets.collect(network, pool_sets, 77, max_members=2**31)
        if pool is None:
            raise ValueError(f"{name}: the pool of {CEILING_SETS:,} sets is too large")
        with _Subsim(name, options, settings.cache) as other:
            for k in SEEDS:
                ceiling = choose(pool, network.alone * pool_sets / network.mass, Limits(k)).users
                yield {"graph": name, "model": model, "k": k, **_row(edges, network, k, other, ceiling, name, model)}


def _row(
    edges: EdgeProbabilities,
    network: rrsets.ReverseNetwork,
    k: int,
    other: _Subsim,
    ceiling: NDArray[np.int32],
    *where: str,
) -> dict[str, Any]:
    """Return the figures of one k, ours and theirs in turn."""
    ours: list[tuple[float, SeedSet]] = []
    theirs: list[dict[str, float]] = []
    for seed in range(ROUNDS):
        ours.append(_choose(network, k, seed))
        if other.is_there:
            theirs.append(other.run(k, 0.1))
    row: dict[str, Any] = {
        "cpu_s": _median([seconds for seconds, _ in ours]),
        "rr_sets": int(median(found.sets for _, found in ours)),
        "plain_sets": int(median(found.sets for _, found in ours) * network.nodes / network.mass),
        "guarantee": round(median(found.guarantee for _, found in ours), 3),
    }
    best = _judged(edges, ceiling, *where)
    if not other.is_there:
        return row | {"spread_of_ceiling": round(best, 2)}
    row |= {
        "subsim_s": _median([each["seconds"] for each in theirs]),
        "subsim_best_s": min(each["seconds"] for each in theirs),
    }
    row["subsim_sets"] = int(median(each["sets"] for each in theirs))
    row |= {f"time_over_subsim{at}": round(row["cpu_s"] / row[f"subsim{at}_s"], 3) for at in ("", "_best")}
    exact = _median([other.run(k, 0.01)["seconds"] for _ in range(3)])
    timed = [_choose(network, k, seed, budget_s=exact) for seed in range(3)]
    reached = [_judged(edges, found.users, *where) for _, found in timed]
    return row | {
        "subsim_exact_s": round(exact, 3),
        "cpu_s_within": _median([seconds for seconds, _ in timed]),
        "spread_of_ceiling": round(best, 2),
        "spread_over_ceiling": [round(each / best, 4) for each in reached],
        "subsim_over_ceiling": round(_judged(edges, other.seeds(k), *where) / best, 4),
    }


def _choose(network: rrsets.ReverseNetwork, k: int, seed: int, budget_s: float = 0.0) -> tuple[float, SeedSet]:
    began_s = time.process_time()
    found = choose_seeds(network, Limits(k), np.random.default_rng(seed), Effort(budget_s=budget_s))
    return time.process_time() - began_s, found


def _judged(edges: EdgeProbabilities, users: NDArray[np.integer], name: str, model: str) -> float:
    return simulate(edges, users, RUNS[name][model], np.random.default_rng(5)).mean


class _Subsim:
    """The other program on one graph, in a folder of its own."""

    def __init__(self, name: str, options: tuple[str, ...], cache: Path) -> None:
        self.is_there = shutil.which("subsim") is not None
        self._name, self._options = name, options
        cache.mkdir(parents=True, exist_ok=True)
        self._home = tempfile.TemporaryDirectory(prefix="bench-subsim-", dir=cache)

    def __enter__(self) -> _Subsim:
        if self.is_there:
            home = Path(self._home.name)
            (home / "result").mkdir()
            shutil.copy(DATA / self._name / "edges.txt", home / self._name)
            self._call("-func=format", *self._options)
        return self

    def __exit__(self, *_: object) -> None:
        self._home.cleanup()

    def run(self, k: int, epsilon: float) -> dict[str, float]:
        """Choose seeds; return what the program says of its time and sets."""
        text = self._call("-func=im", *self._options[:1], f"-seedsize={k}", f"-eps={epsilon}")
        return {name: float(re.findall(pattern, text)[-1]) for name, pattern in TOLD.items()}

    def seeds(self, k: int) -> NDArray[np.int64]:
        """Return the seeds of the last run."""
        files = (Path(self._home.name) / "result" / "seed").glob(f"*_k{k}_*")
        return np.loadtxt(max(files, key=os.path.getmtime), dtype=np.int64, ndmin=1)

    def _call(self, *arguments: str) -> str:
        command = ["subsim", f"-gname={self._name}", f"-dir={self._home.name}", *arguments]
        command.append(f"-outpath={self._home.name}/result")
        return subprocess.run(
            command, cwd=self._home.name, capture_output=True, text=True, timeout=600, check=True
        ).stdout


def _growth(count: int) -> dict[str, Any]:
    """Return seconds and memory on a generated graph of so many edges."""
    edges = _power_law(count, round(count * NODES_PER_EDGE))
    drawn = np.random.default_rng(3).random(count) * 2.0
    # One probability for each edge, with the same sums for each receiver as in the weighted cascade.
    own = np.minimum(edges.probability * drawn, 1.0)
    each = EdgeProbabilities(edges.source, edges.target, own, edges.nodes)
    row: dict[str, Any] = {"edges": count, "nodes": edges.nodes}
    row["prepare_s"], network = _timed(lambda: rrsets.prepare(edges))
    per_edge = rrsets.prepare(each)
    figures: dict[str, list[float]] = {name: [] for name in ("one", "per_edge", "two_threads")}
    guarantee = 0.0
    for seed in range(3):
        seconds, found = _choose(network, 50, seed)
        figures["one"].append(seconds)
        figures["per_edge"].append(_choose(per_edge, 50, seed)[0])
        guarantee = found.guarantee
    sets = max(200_000, edges.nodes)
    walls = {threads: [_wall(network, sets, threads) for _ in range(3)] for threads in (1, 2)}
    scores, _ = _timed(lambda: score_users(edges, np.random.default_rng(0), max_sets=2_000_000))
    return row | {
        "cpu_s": _median(figures["one"]),
        "guarantee": round(guarantee, 3),
        "per_edge_cpu_s": _median(figures["per_edge"]),
        "per_edge_over_one": round(median(figures["per_edge"]) / median(figures["one"]), 2),
        "two_threads_speed_up": round(median(walls[1]) / median(walls[2]), 2),
        "scores_s": round(scores, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _world(settings: WorldSettings) -> dict[str, Any]:
    """Compare orders of the users of a generated world by their true spread."""
    world = generate(settings)
    snapshot = to_snapshot(world)
    place = {name: row for row, name in enumerate(world.users["userId"].tolist())}
    row = np.array([place[name] for name in snapshot.users.ids.tolist()])
    rng = np.random.default_rng(0)
    truth = score_users(world.truth.probabilities, rng, sets_per_user=4_000).score[row]
    learned = edge_probabilities(snapshot)
    friends = np.concatenate([snapshot.friends.source, snapshot.friends.target])
    others = np.concatenate([snapshot.friends.target, snapshot.friends.source])
    users = len(snapshot.users)
    ties = EdgeProbabilities(friends, others, np.ones(len(friends)), users)
    orders = {
        "influence_score": score_users(learned, rng).score,
        "degree": np.bincount(friends, minlength=users),
        "pagerank": reversed_pagerank(ties),
        "pagerank_of_probabilities": reversed_pagerank(learned),
        "shares": np.bincount(snapshot.shares.source, minlength=users),
        "random": rng.random(users),
    }
    first = max(users // 100, 1)
    best = float(np.sort(truth)[-first:].mean())
    return {
        name: {
            "spearman": round(float(np.corrcoef(percentiles(order), percentiles(truth))[0, 1]), 4),
            "first": round(float(truth[np.argsort(-order, kind="stable")[:first]].mean()), 3),
            "best": round(best, 3),
        }
        for name, order in orders.items()
    }


def _wall(network: rrsets.ReverseNetwork, sets: int, threads: int) -> float:
    began_s = time.perf_counter()
    rrsets.count_memberships(network, sets, 1, threads=threads)
    return time.perf_counter() - began_s


def _power_law(edges: int, nodes: int) -> EdgeProbabilities:
    """Return a graph whose degrees fall as a power law of exponent 3 at both ends, as a weighted cascade."""
    rng = np.random.default_rng(0)
    name = rng.permutation(nodes).astype(np.int32)
    source, target = (name[(rng.random(edges) ** 2 * nodes).astype(np.int64)] for _ in range(2))
    return EdgeProbabilities(source, target, 1.0 / np.bincount(target, minlength=nodes)[target], nodes)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began_s = time.process_time()
    made = work()
    return round(time.process_time() - began_s, 3), made


def _median(values: list[float]) -> float:
    return round(median(values), 4)


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
