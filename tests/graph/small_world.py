"""A generated world in the graph under one published version, small enough to import in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.types import Artifact, RankedLists
from engine.world import World, WorldSettings, generate, write
from graph.connection import Graph
from graph.files import import_folder
from graph.publication import publish
from graph.settings import Settings

VERSION = "w1"
LISTED = 20


def fill(graph: Graph, settings: Settings, folder: Path) -> World:
    """Import a world of 400 users, 200 items and 8,000 events and publish what is true of it."""
    world = generate(WorldSettings(users=400, items=200, events=8_000))
    write(world, folder)
    import_folder(graph, settings, folder, quarantine=folder / "quarantine.csv")
    publish(graph, settings, artifact(world))
    return world


def artifact(world: World) -> Artifact:
    """A version that knows the world's truth: tastes are the embedding, tie probabilities the influence."""
    truth, users = world.truth, len(world.users)
    affinity = truth.affinity(np.arange(users)).astype(np.float32)
    taste = (truth.taste_items.T + 1e-6).astype(np.float32)
    item = taste / np.linalg.norm(taste, axis=1, keepdims=True)
    user = np.zeros((users, taste.shape[1]), dtype=np.float32)
    np.put_along_axis(user, truth.tastes, truth.taste_weights.astype(np.float32), axis=1)
    user /= np.linalg.norm(user, axis=1, keepdims=True)
    near = item @ item.T
    np.fill_diagonal(near, -1.0)
    ties = np.zeros((users, users), dtype=np.float32)
    ties[truth.probabilities.source, truth.probabilities.target] = truth.probabilities.probability
    score = 1.0 + ties.sum(axis=1)
    recommended, influences = _best(affinity), _best(ties)
    reasons = np.tile(np.array([0, 255], dtype=np.uint8), (*recommended.target.shape, 1))
    return Artifact(
        model_version=VERSION,
        snapshot_id="s1",
        trained_at_s=1_790_000_000,
        code_version="test",
        user_ids=world.users["userId"].to_numpy(dtype=object),
        item_ids=world.items["itemId"].to_numpy(dtype=object),
        user_embedding=user,
        item_embedding=item,
        influence_score=score,
        influence_percentile=(100.0 * np.argsort(np.argsort(score)) / (users - 1)).astype(np.float32),
        influence_error=(score / 100.0).astype(np.float32),
        recommended=RankedLists(recommended.target, recommended.score, reasons),
        similar=_best(near),
        influences=influences,
        metrics={},
    )


def _best(scores: np.ndarray) -> RankedLists:
    """The 20 largest positive scores of each row."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :LISTED]
    best = np.take_along_axis(scores, order, axis=1)
    target = np.where(best > 0, order, -1).astype(np.int32)
    return RankedLists(target, np.where(best > 0, best, 0).astype(np.float32))
