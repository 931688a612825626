"""`kith evaluate influence`: seeds on a public graph, judged by a simulation that shares nothing with their choice."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence import rrsets
from engine.influence.coverage import Limits
from engine.influence.diffusion import Spread, simulate
from engine.influence.network import outgoing
from engine.influence.pagerank import reversed_pagerank
from engine.influence.seeding import Effort, choose_seeds
from engine.types import EdgeProbabilities

MAX_EDGES = 200_000_000
PRECISE = 0.001
"""A simulation ends when its standard error is this share of the spread."""
RUNS, MOST_RUNS = 200, 200_000
SIMULATED_S = 10.0
"""Processor seconds for one simulation at most."""


def evaluate_influence(
    folder: Path, model: str = "wc", *, seeds: int = 50, epsilon: float = 0.1, budget_s: float = 0.0, seed: int = 0
) -> dict[str, Any]:
    """Choose seeds on one thread and judge them, and those of simpler ways, by forward simulation.

    Args:
        folder: holds `edges.txt` (contracts.md, "graph").
        model: `wc` (1 / indegree), `ic:P`, or a file of `u v p` lines.
        seeds: k.
        epsilon: of the guarantee.
        budget_s: processor seconds to spend on a better choice.
        seed: of everything random.

    Returns:
        The keys of contracts.md; beside them `prepare_s` (the reverse network from the edges: neither in `load_s` nor
        in `cpu_s`), `plain_sets` (RR sets with free roots that have as many of more than one node), `best_high` and
        `guarantee` (the certificate), and `compared`: the simulated spread of other seeds.

    Raises:
        DataError: a file or an argument is wrong.
    """
    began_s = time.perf_counter()
    edges = read_graph(Path(folder) / "edges.txt", model)
    load_s = time.perf_counter() - began_s
    jit_s = _compile()
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    network = rrsets.prepare(edges)
    prepare_s = time.process_time() - started_cpu_s
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    found = choose_seeds(
        network, Limits(seeds), np.random.default_rng(seed), Effort(epsilon=epsilon, budget_s=budget_s)
    )
    cpu_s, wall_s = time.process_time() - started_cpu_s, time.perf_counter() - started_s
    others = {
        "top_degree": _largest(np.bincount(edges.source, minlength=edges.nodes), seeds),
        "top_pagerank": _largest(reversed_pagerank(edges), seeds),
        "random": np.random.default_rng([seed, 1]).permutation(edges.nodes)[:seeds],
    }
    return {
        "seeds": found.users.tolist(),
        "spread": found.spread,
        "spread_low": found.spread_low,
        "spread_high": found.spread_high,
        "best_high": found.best_high,
        "guarantee": found.guarantee,
        "simulated": _told(judge(edges, found.users, seed)),
        "compared": {name: _told(judge(edges, users, seed)) for name, users in others.items()},
        "rr_sets": found.sets,
        "plain_sets": round(found.sets * edges.nodes / network.mass) if network.mass else 0,
        "rr_sets_per_cpu_s": round(found.sets / max(cpu_s, 1e-9)),
        "cpu_s": round(cpu_s, 4),
        "wall_s": round(wall_s, 4),
        "prepare_s": round(prepare_s, 4),
        "load_s": round(load_s, 3),
        "jit_s": round(jit_s, 3),
        "seed": seed,
        "seconds": round(time.perf_counter() - began_s, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "n": edges.nodes,
    }


def judge(edges: EdgeProbabilities, users: NDArray[np.integer], seed: int) -> Spread:
    """Return the spread of a seed set by forward simulation, as precise as PRECISE or as SIMULATED_S allows."""
    rng = np.random.default_rng([seed, 2])
    began_s, runs, total, squares = time.process_time(), 0, 0.0, 0.0
    batch = RUNS
    while True:
        part = simulate(edges, users, batch, rng)
        variance = part.standard_error**2 * batch
        total += part.mean * batch
        squares += variance * (batch - 1) + part.mean**2 * batch
        runs += batch
        mean = total / runs
        error = float(np.sqrt(max(squares / runs - mean**2, 0.0) / runs))
        if error <= PRECISE * mean or runs >= MOST_RUNS or time.process_time() - began_s > SIMULATED_S:
            return Spread(mean, error)
        batch = min(batch * 2, MOST_RUNS - runs)


def read_graph(path: Path, model: str) -> EdgeProbabilities:
    """Read a graph and give its edges probabilities.

    Args:
        path: first line `n m`, then a `u v` line for each edge, 0 <= u, v < n.
        model: `wc`, `ic:P`, or a file of `u v p` lines that has every edge once, in any order.

    Raises:
        DataError: a file is missing or malformed (it names file, line and reason), or there is no such model.
    """
    with _opened(path) as file:
        nodes, count = _whole_numbers(path, 1, file.readline())
    if count > MAX_EDGES or nodes >= 2**31 or nodes < 1:
        raise DataError(f"{path}: line 1: {nodes} nodes and {count} edges; up to {MAX_EDGES:,} edges are read")
    table = _table(path, ["u", "v"], 1)
    source, target = (_ends(path, table[name].to_numpy(), nodes, 2) for name in ("u", "v"))
    if len(source) != count:
        raise DataError(f"{path}: line {len(source) + 2}: {len(source)} edges where the first line says {count}")
    return EdgeProbabilities(source, target, _probabilities(model, source, target, nodes), nodes)


def _probabilities(model: str, source: NDArray[np.int32], target: NDArray[np.int32], nodes: int) -> NDArray[np.float64]:
    if model == "wc":
        return 1.0 / np.bincount(target, minlength=nodes)[target]
    if model.startswith("ic:"):
        try:
            chance = float(model[3:])
        except ValueError:
            chance = -1.0
        if not 0.0 <= chance <= 1.0:
            raise DataError(f"--model {model}: a probability is a number from 0 to 1")
        return np.full(len(source), chance)
    path = Path(model)
    table = _table(path, ["u", "v", "p"], 0)
    u, v = (_ends(path, table[name].to_numpy(), nodes, 1) for name in ("u", "v"))
    p = table["p"].to_numpy(np.float64)
    if len(wrong := np.flatnonzero(~((p >= 0.0) & (p <= 1.0)))):
        raise DataError(f"{path}: line {wrong[0] + 1}: a probability is a number from 0 to 1")
    key, asked = u.astype(np.int64) * nodes + v, source.astype(np.int64) * nodes + target
    order = np.argsort(key, kind="stable")
    place = np.searchsorted(key[order], asked)
    known = place < len(key)
    known[known] = key[order][place[known]] == asked[known]
    if not known.all():
        first = int(np.argmin(known))
        raise DataError(f"{path}: line {len(p) + 1}: there is no probability of edge {source[first]} {target[first]}")
    return p[order][place]


def _table(path: Path, names: list[str], skipped: int) -> pd.DataFrame:
    kinds = {name: np.float64 if name == "p" else np.int64 for name in names}
    try:
        return pd.read_csv(
            _checked(path), sep=" ", header=None, names=names, skiprows=skipped, dtype=kinds, index_col=False
        )
    except (ValueError, OverflowError):
        pass
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if number > skipped:
                _numbers_of(path, number, line, len(names))
    raise DataError(f"{path}: line {skipped + 1}: is not a table of {' '.join(names)}")


def _numbers_of(path: Path, number: int, line: str, width: int) -> None:
    parts = line.split()
    try:
        whole = [int(part) for part in parts[:2]]
        rest = [float(part) for part in parts[2:]]
    except ValueError:
        raise DataError(f"{path}: line {number}: {line.strip()[:40]!r} is not {width} numbers") from None
    if len(whole) + len(rest) != width:
        raise DataError(f"{path}: line {number}: {len(parts)} fields, not {width}")


def _whole_numbers(path: Path, number: int, line: str) -> tuple[int, int]:
    _numbers_of(path, number, line, 2)
    first, second = line.split()
    return int(first), int(second)


def _ends(path: Path, ends: NDArray[np.int64], nodes: int, first_line: int) -> NDArray[np.int32]:
    wrong = np.flatnonzero((ends < 0) | (ends >= nodes))
    if len(wrong):
        raise DataError(f"{path}: line {wrong[0] + first_line}: node {ends[wrong[0]]} is none of 0 to {nodes - 1}")
    return ends.astype(np.int32)


def _checked(path: Path) -> Path:
    with _opened(path):
        return path


def _opened(path: Path):  # noqa: ANN202 - a text file
    try:
        return path.open(encoding="utf-8")
    except OSError:
        raise DataError(f"{path}: line 1: there is no such file") from None


def _largest(score: NDArray[np.number], count: int) -> NDArray[np.int64]:
    return np.argsort(-score, kind="stable")[:count]


def _told(spread: Spread) -> dict[str, float]:
    return {"spread": spread.mean, "standard_error": spread.standard_error}


def _compile() -> float:
    """Run everything once on a tiny graph; return the seconds, most of them numba's."""
    began_s = time.perf_counter()
    tiny = EdgeProbabilities(np.array([0, 1], np.int32), np.array([1, 2], np.int32), np.array([0.5, 0.5]), 3)
    choose_seeds(rrsets.prepare(tiny), Limits(1), np.random.default_rng(0))
    simulate(tiny, np.array([0]), 1, np.random.default_rng(0))
    outgoing(tiny)
    return time.perf_counter() - began_s
