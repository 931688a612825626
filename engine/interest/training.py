"""Train the encoder: full-graph propagation for small graphs, sampled subgraphs above a size."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from engine.errors import TrainingError
from engine.evaluation import Truth, hit_matrix, ndcg_at, top_k
from engine.interest.adjacency import Adjacency, from_pairs
from engine.interest.data import InterestData
from engine.interest.encoder import Encoder, EncoderShape, Neighbourhood, Relation, combine
from engine.interest.losses import cosine_softmax, pairwise
from engine.interest.relations import Relations, relations_of
from engine.interest.sampling import sample
from engine.serving.features import FeatureRows
from engine.serving.forward import ForwardModel

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """How the encoder is trained; nothing here is per data set."""

    width: int = 64
    layers: int = 2
    loss: str = "softmax"
    """`softmax`: against all items, or above `full_softmax_items` against a sample; `sampled`: always a sample;
    `uncorrected`: a sample whose draw is not corrected for; `pairwise`: against one drawn item."""
    hardness: float = 0.0
    """How much more rivals weigh that score high already; >= 0."""
    temperature: float = 0.15
    learning_rate: float = 0.02
    epochs: int = 60
    """Largest number of passes over the users."""
    steps: int = 240
    """Largest number of optimiser steps; whichever comes first."""
    patience: int = 3
    """Checks without a better NDCG@20 on the validation cut before training stops."""
    checks: int = 16
    """Checks on the validation cut if training runs to its end."""
    batch_users: int = 512
    id_dropout: float = 0.1
    with_social: bool = True
    full_softmax_items: int = 50_000
    """Above it the softmax runs over a sample of items."""
    rivals: int = 8192
    full_graph_edges: int = 20_000_000
    """Above it a step propagates over a sampled subgraph."""
    fanouts: tuple[int, ...] = (15, 10)
    seed: int = 0
    device: str = "auto"
    log_folder: Path | None = None
    """Where TensorBoard logs go, if anywhere."""


@dataclass(slots=True)
class FittedEncoder:
    """A trained encoder and the tables it makes."""

    encoder: Encoder
    relations: Relations
    layers: list[dict[str, NDArray[np.float32]]]
    """Layers 0..L of every node, each (N, D) per type."""
    user_embedding: NDArray[np.float32]
    """(U, D) unit rows."""
    item_embedding: NDArray[np.float32]
    """(I, D) unit rows."""
    epochs: float
    steps: int
    seconds_per_epoch: float
    device: str
    edges_per_s: float
    """Edges that messages passed along forwards, once per round of the encoder, in training and its checks."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Per check: step, loss, ndcg@20 on the validation cut (nan without one)."""

    def forward_model(self) -> ForwardModel:
        """Return what the numpy forward pass of new nodes needs."""
        weights = {}
        for relation in self.relations.names:
            convs = [conv.convs[relation] for conv in self.encoder.rounds]  # type: ignore[union-attr, index]
            weights[".".join(relation)] = [
                (_numpy(conv.lin_l.weight), _numpy(conv.lin_l.bias), _numpy(conv.lin_r.weight)) for conv in convs
            ]
        return ForwardModel(
            layers={kind: [layer[kind] for layer in self.layers[:-1]] for kind in ("user", "item")},
            projection={kind: _numpy(value) for kind, value in self.encoder.projection.items()},
            weights=weights,
            source_degree={".".join(name): degree for name, degree in self.relations.source_degree.items()},
        )


class _Graph:
    """The data as tensors on the device."""

    def __init__(self, data: InterestData, settings: EncoderSettings, device: str, ties: Adjacency | None) -> None:
        self.data = data
        self.relations = relations_of(data, settings.with_social, ties)
        self.features = {
            kind: _feature_adjacency(rows)
            for kind, rows in (("user", data.user_features), ("item", data.item_features))
            if len(rows.indices)
        }
        self.is_sampled = self.relations.edges > settings.full_graph_edges
        self.device = device
        self.passed = 0
        """Edges that messages have passed along so far."""
        self.neighbours: dict[Relation, Neighbourhood] = {}
        self.feature_rows: dict[str, Neighbourhood] = {}
        if not self.is_sampled:
            self.neighbours = {k: Neighbourhood.of(v, device) for k, v in self.relations.weights.items()}
            self.feature_rows = {k: Neighbourhood.of(v, device) for k, v in self.features.items()}


def fit_encoder(
    data: InterestData,
    settings: EncoderSettings,
    validation: Truth | None = None,
    start: Encoder | None = None,
    report: Report | None = None,
    *,
    ties: Adjacency | None = None,
) -> FittedEncoder:
    """Train the encoder on all positives of `data`.

    Args:
        data: matrices without the cut.
        settings: how to train; no steps: what `start` holds is only propagated over `data`.
        validation: items held out of `data` per user; training stops when NDCG@20 there no longer grows, and the
            best step's weights are kept. None: train to the end.
        start: continue from its weights (same users, items and kinds of relations).
        report: called with {"stage", "done", "total", "message"}.
        ties: (U, U) learned weights of friends; None: as strong as the ties are.

    Raises:
        TrainingError: the loss is not finite.
    """
    device = settings.device if settings.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    graph = _Graph(data, settings, device, ties)
    encoder = Encoder(
        EncoderShape(
            {"user": data.users, "item": data.items},
            {kind: matrix.columns for kind, matrix in graph.features.items()},
            graph.relations.names,
            settings.width,
            settings.layers,
        )
    ).to(device)
    if start is not None:
        encoder.load_state_dict(start.state_dict())
    began = time.perf_counter()
    steps, epochs, history = _optimise(encoder, graph, settings, rng=rng, validation=validation, report=report)
    seconds = time.perf_counter() - began
    edges_per_s = graph.passed / max(seconds, 1e-9)
    layers, embedding = embed_all(encoder, graph)
    return FittedEncoder(
        encoder.cpu(), graph.relations, layers, embedding["user"], embedding["item"], epochs, steps,
        seconds / max(epochs, 1e-9), device, edges_per_s, history,
    )  # fmt: skip


def embed_all(encoder: Encoder, graph: _Graph) -> tuple[list[dict[str, NDArray[np.float32]]], dict[str, Any]]:
    """Return all layers and the embeddings of every node, propagated over the full graph."""
    encoder.eval()
    graph.passed += graph.relations.edges * len(encoder.rounds)
    neighbours = graph.neighbours or {k: Neighbourhood.of(v, graph.device) for k, v in graph.relations.weights.items()}
    rows = graph.feature_rows or {k: Neighbourhood.of(v, graph.device) for k, v in graph.features.items()}
    with torch.no_grad():
        layers = encoder.propagate(encoder.layer0(rows), neighbours)
        embedding = {kind: _numpy(value) for kind, value in combine(layers).items()}
    return [{kind: _numpy(value) for kind, value in layer.items()} for layer in layers], embedding


def _optimise(
    encoder: Encoder,
    graph: _Graph,
    settings: EncoderSettings,
    *,
    rng: np.random.Generator,
    validation: Truth | None,
    report: Report | None,
) -> tuple[int, float, list[dict[str, float]]]:
    """Run the steps; leave the best weights in the encoder; return steps, epochs and history of the weights kept."""
    if settings.steps == 0:
        return 0, 0.0, []
    active = np.flatnonzero(graph.data.positives.degree).astype(np.int64)
    per_epoch = -(-len(active) // settings.batch_users)
    total = max(1, min(settings.steps, settings.epochs * per_epoch))
    every = max(1, total // settings.checks)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=settings.learning_rate)
    best_score, best_step, best_state = -1.0, total, None
    history: list[dict[str, float]] = []
    losses: list[float] = []
    batches = _batches(active, settings.batch_users, rng)
    step = 0
    with _tensorboard(settings.log_folder) as writer:
        for step in tqdm(range(1, total + 1), desc="GraphSAGE", unit="step", disable=None, leave=False):
            encoder.train()
            loss = _loss(encoder, graph, next(batches), settings, rng)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
            if step % every and step != total:
                continue
            if not np.isfinite(losses[-1]):
                raise TrainingError(f"the loss of step {step} is not finite; try a lower learning rate")
            score = float("nan") if validation is None else _check(encoder, graph, validation)
            history.append({"step": step, "loss": float(np.mean(losses[-every:])), "ndcg@20": score})
            _log(writer, report, history[-1], total)
            if score > best_score:
                best_score, best_step = score, step
                best_state = copy.deepcopy(encoder.state_dict())
            elif validation is not None and step - best_step >= settings.patience * every:
                break
    if best_state is not None:
        encoder.load_state_dict(best_state)
        step = best_step
    return step, step / per_epoch, history


def _batches(active: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    while True:
        shuffled = rng.permutation(active)
        for start in range(0, len(shuffled), size):
            yield shuffled[start : start + size]


def _loss(
    encoder: Encoder, graph: _Graph, users: NDArray[np.int64], settings: EncoderSettings, rng: np.random.Generator
) -> Tensor:
    positives = graph.data.positives.take(users)
    weight = torch.from_numpy(np.add.reduceat(positives.values, positives.indptr[:-1])).to(graph.device)
    rivals = log_expected = None
    if settings.loss == "pairwise":
        rivals = rng.integers(0, graph.data.items, len(positives))
    elif settings.loss != "softmax" or graph.data.items > settings.full_softmax_items:
        rivals, log_expected = _draw_rivals(graph.data.positives, settings.rivals, rng)
        log_expected = None if settings.loss == "uncorrected" else log_expected
    if graph.is_sampled:
        items = np.unique(np.concatenate([positives.indices, *([] if rivals is None else [rivals])])).astype(np.int64)
        part = sample(graph.relations.weights, {"user": users, "item": items}, settings.fanouts, rng)
        nodes = {kind: torch.from_numpy(ids).to(graph.device) for kind, ids in part.nodes.items()}
        rows = {k: Neighbourhood.of(v.take(part.nodes[k]), graph.device) for k, v in graph.features.items()}
        layer0 = encoder.layer0(rows, nodes, settings.id_dropout)
        neighbours = {k: Neighbourhood.of(v, graph.device) for k, v in part.weights.items()}
        graph.passed += sum(len(v.indices) for v in part.weights.values()) * len(encoder.rounds)
        embedding = combine(encoder.propagate(layer0, neighbours))
        user_vectors, item_vectors = embedding["user"][: len(users)], embedding["item"][: len(items)]
        positives = from_pairs(
            positives.row_of, np.searchsorted(items, positives.indices), (len(users), len(items)), positives.values
        )
        rivals = None if rivals is None else np.searchsorted(items, rivals)
    else:
        layer0 = encoder.layer0(graph.feature_rows, None, settings.id_dropout)
        graph.passed += graph.relations.edges * len(encoder.rounds)
        embedding = combine(encoder.propagate(layer0, graph.neighbours))
        user_vectors = functional.embedding(torch.from_numpy(users).to(graph.device), embedding["user"])
        item_vectors = embedding["item"]
    against = None
    if rivals is not None:
        against = functional.embedding(torch.from_numpy(rivals.astype(np.int64)).to(graph.device), item_vectors)
    if settings.loss == "pairwise" and against is not None:
        item, user = (torch.from_numpy(part.astype(np.int64)) for part in (positives.indices, positives.row_of))
        acted = functional.embedding(item.to(graph.device), item_vectors)
        own = functional.embedding(user.to(graph.device), user_vectors)
        each = torch.from_numpy(positives.values).to(graph.device)
        return pairwise(own, acted, against, each, settings.temperature)
    correction = None if log_expected is None else torch.from_numpy(log_expected).to(graph.device)
    batch = Neighbourhood.of(positives, graph.device)
    return cosine_softmax(
        user_vectors, item_vectors, batch, weight, settings.temperature,
        rivals=against, log_expected=correction, hardness=settings.hardness,
    )  # fmt: skip


def _draw_rivals(
    positives: Adjacency, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Draw items with replacement by (popularity + 1)^0.75; return them and the log of their expected counts."""
    chance = (np.bincount(positives.indices, minlength=positives.columns) + 1.0) ** 0.75
    chance /= chance.sum()
    drawn = np.searchsorted(np.cumsum(chance), rng.random(count)).clip(max=positives.columns - 1)
    return drawn, np.log(count * chance[drawn]).astype(np.float32)


def _check(encoder: Encoder, graph: _Graph, validation: Truth) -> float:
    """Return NDCG@20 on the validation cut, the users' known positives masked."""
    _, embedding = embed_all(encoder, graph)
    total = 0.0
    for start in range(0, len(validation), 1024):
        part = validation.take(np.arange(start, min(start + 1024, len(validation))))
        scores = embedding["user"][part.user] @ embedding["item"].T
        known = graph.data.positives.take(part.user)
        scores[known.row_of, known.indices] = -np.inf
        total += float(ndcg_at(hit_matrix(top_k(scores, 20), part), part.counts, 20).sum())
    return total / max(len(validation), 1)


def _log(writer: Any, report: Report | None, line: dict[str, float], total: int) -> None:
    step = int(line["step"])
    if writer is not None:
        for name in ("loss", "ndcg@20"):
            writer.add_scalar(name, line[name], step)
    if report is not None:
        text = f"loss {line['loss']:.4f}"
        if np.isfinite(line["ndcg@20"]):
            text += f", NDCG@20 {line['ndcg@20']:.4f} on the validation cut"
        report({"stage": "graphsage", "done": step, "total": total, "message": text})


def _tensorboard(folder: Path | None) -> AbstractContextManager[Any]:
    """Return a writer that is closed at the end; None where no logs are wanted or tensorboard is not installed."""
    if folder is None:
        return nullcontext()
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional
    except ImportError:
        return nullcontext()
    return SummaryWriter(str(folder))


def _feature_adjacency(rows: FeatureRows) -> Adjacency:
    return Adjacency(rows.indptr, rows.indices, rows.values, rows.width)


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy()


def without_social(settings: EncoderSettings) -> EncoderSettings:
    """Return the settings of the ablation that passes no messages between users."""
    return replace(settings, with_social=False)
