"""The main job, stage by stage, each timed and shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from engine.world import World, WorldSettings, generate, write
from graph import census, connection, files, jobs, keys, schema, size_model
from graph.errors import ConflictError
from graph.settings import CONSENT_PURPOSES, Settings
from kith import stack
from kith.demo import report
from kith.demo.client import Client
from kith.jobs import follow, why_ended
from kith.terminal import fail, print_json, progress, say
from workers import queue

if TYPE_CHECKING:
    from graph.connection import Graph

KEY_DAYS_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """How large the world is and what happens at the end."""

    users: int = 5_000
    items: int = 2_000
    events: int = 200_000
    seed: int = 7
    once: bool = False
    as_json: bool = False


Stage = tuple[World, Path, bool]
"""A world, its folder, and whether it is new to this home."""


@dataclass
class Timings:
    """Seconds of every stage, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, about: str) -> Iterator[None]:
        """Announce a stage, run it, remember how long it took."""
        say(f"\n[{len(self.seconds) + 1}] {about}")
        begin = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begin
        say(f"    {self.seconds[name]:.1f} s")


def run_demo(settings: Settings, demo: DemoSettings) -> int:
    """Run the main job on a generated world; return 0 when everything worked.

    Raises:
        ConflictError: the graph holds a shop's own users.
    """
    settings = replace(settings, consent_default=settings.consent_default or CONSENT_PURPOSES)
    timings = Timings()
    say(f"Kith demo: {demo.users:,} users, {demo.items:,} items, {demo.events:,} events, seed {demo.seed}")
    with timings.stage("world", "generate a world whose truth is known"):
        stage_set = _world(settings, demo)
    with timings.stage("start", "start Neo4j, the broker, the workers and the API"):
        stack.up(settings)
    try:
        return _main_job(settings, demo, stage_set, timings)
    finally:
        if demo.once:
            stack.down(settings)
            say("\nThe stack is stopped (--once).")


def _world(settings: Settings, demo: DemoSettings) -> Stage:
    """Return the world, its folder and whether it is new: a second demo meets the same people at the same times.

    Raises:
        ConflictError: this home holds the world of other settings.
    """
    folder = settings.home / "demo"
    remembered = folder / "settings.json"
    wanted = {"users": demo.users, "items": demo.items, "events": demo.events, "seed": demo.seed}
    known = orjson.loads(remembered.read_bytes()) if remembered.exists() else {}
    if known and {name: known[name] for name in wanted} != wanted:
        raise ConflictError(
            f"{folder} holds another world ({known}): ask for that one, or set KITH_HOME to a new folder"
        )
    chosen = WorldSettings(**wanted, end_s=known.get("end_s", int(time.time())))
    world = generate(chosen)
    if not known:
        write(world, folder)
        remembered.write_bytes(orjson.dumps({**wanted, "end_s": chosen.end_s}))
    return world, folder, not known


def _main_job(settings: Settings, demo: DemoSettings, stage_set: Stage, timings: Timings) -> int:
    world, folder, is_new = stage_set
    with connection.connect(settings) as graph:
        schema.apply(graph)
        if is_new:
            _refuse_foreign_graph(graph, folder)
        with timings.stage("import", "load the world into Neo4j"), progress("import") as show:
            loaded = files.import_folder(graph, settings, folder, progress=show)
        with timings.stage("train", "one job: export, train GraphSAGE, evaluate, publish"):
            queue.enqueue_learning(settings)  # how cascades grow, beside the training
            job = jobs.create(graph, "train", {"seed": demo.seed})
            queue.enqueue_training(settings, job["jobId"])
            ended = follow(graph, job["jobId"])
        if ended["state"] != "done":
            fail(f"the training job {ended['state']}: {why_ended(ended)}; its log: {settings.logs}")
            return 1
        growth = size_model.tried(graph)
        key = keys.create(graph, ("read", "ingest", "admin"), ttl_s=KEY_DAYS_S, label="demo")
    client = Client(f"http://127.0.0.1:{settings.api_port}", key)
    with timings.stage("answer", "ask the API"):
        answers = report.ask(client, world)
    summary = {
        "loaded": report.loaded(loaded),
        "training": ended["result"]["metrics"],
        "cascadeModel": report.growth(growth),
        "answers": answers,
        "seconds": timings.seconds,
        "memory": stack.peak_memory(settings),
        "modelVersion": ended["result"]["modelVersion"],
    }
    report.show(settings, world, summary, key, once=demo.once)
    if demo.as_json:
        print_json(summary)
    return 0


def _refuse_foreign_graph(graph: Graph, folder: Path) -> None:
    """Keep the demo out of a shop's own graph."""
    if census.count(graph)["users"]:
        (folder / "settings.json").unlink()
        raise ConflictError(
            "this graph holds other users than the demo's: point KITH_HOME or NEO4J_URI to an empty one"
        )
