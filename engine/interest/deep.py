"""Train the deep scorer: binary cross-entropy on acts against drawn items, with Adam (`engine/serving/deep.py`)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.interest.adjacency import Adjacency
from engine.interest.data import InterestData
from engine.serving.deep import SIDES, DeepModel, item_numbers, user_numbers
from engine.serving.features import FeatureRows

HIDDEN, PAIR, FACTORS = 64, 16, 32
BATCH = 4096
PASSES, STEPS = 20, (60, 400)
FURTHER = 0.25
"""Steps of a scorer that goes on from another's weights, as a share of those from nothing."""
NEGATIVES = 4
"""Items drawn against each act, half of them by popularity^0.75."""
AS_COLD = 0.1
"""Chance that a user of a batch is shown as one without a history."""
WEIGHT_DECAY = 1e-5


class _Scorer(nn.Module):
    def __init__(self, widths: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self.parts = nn.ParameterDict()
        for side in SIDES:
            numbers, features = widths[side]
            self.parts[f"{side}_w1"] = nn.Parameter(torch.randn(numbers, HIDDEN) * numbers**-0.5)
            self.parts[f"{side}_e"] = nn.Parameter(torch.randn(features, HIDDEN) * 0.05)
            self.parts[f"{side}_b1"] = nn.Parameter(torch.zeros(HIDDEN))
            self.parts[f"{side}_w2"] = nn.Parameter(torch.randn(HIDDEN, PAIR) * HIDDEN**-0.5)
            self.parts[f"{side}_b2"] = nn.Parameter(torch.zeros(PAIR))
            self.parts[f"{side}_g"] = nn.Parameter(torch.randn(HIDDEN, FACTORS) * HIDDEN**-0.5)
        self.parts["pair_w"] = nn.Parameter(torch.randn(PAIR) * PAIR**-0.5)
        self.parts["pair_b"] = nn.Parameter(torch.zeros(1))

    def tower(self, side: str, numbers: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        part = {name: self.parts[f"{side}_{name}"] for name in ("w1", "e", "b1", "w2", "b2", "g")}
        hidden = numbers @ part["w1"] + part["b1"]
        if features is not None:
            hidden = hidden + features @ part["e"]
        hidden = functional.relu(hidden)
        return hidden @ part["w2"] + part["b2"], hidden @ part["g"]

    def forward(self, users: tuple[Tensor, Tensor], items: tuple[Tensor, Tensor]) -> Tensor:
        """Return (P,) logits of pairs."""
        pair = functional.relu(users[0] + items[0]) @ self.parts["pair_w"]
        return pair + (users[1] * items[1]).sum(dim=1) + self.parts["pair_b"]

    def load(self, model: DeepModel) -> None:
        """Take over the weights of `export`."""
        with torch.no_grad():
            for name, value in model.weights.items():
                self.parts[name.replace(".", "_", 1)].copy_(torch.from_numpy(np.array(value)))

    def export(self) -> DeepModel:
        return DeepModel({n.replace("_", ".", 1): v.detach().numpy().copy() for n, v in self.parts.items()})


def fit_deep(
    data: InterestData,
    users: NDArray[np.float32],
    cold_users: NDArray[np.float32],
    items: NDArray[np.float32],
    *,
    seed: int = 0,
    steps: int | None = None,
    learning_rate: float = 0.003,
    start: DeepModel | None = None,
) -> DeepModel:
    """Fit the scorer on embeddings and attributes.

    Args:
        data: whose positives are learned.
        users: (U, D) embeddings.
        cold_users: (U, D) embeddings as of users without a history.
        items: (I, D) embeddings.
        seed: of the draws.
        steps: optimiser steps; None: `PASSES` over the positives, within `STEPS`.
        learning_rate: Adam's, falling to a tenth over the steps.
        start: weights to go on from (same widths), `FURTHER` of the steps at half the rate.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 7])
    acts, friends = data.positives.degree, data.friends.degree
    count = np.bincount(data.positives.indices, minlength=data.items)
    warm, cold = user_numbers(users, acts, friends), user_numbers(cold_users, np.zeros_like(acts), friends)
    of_item = item_numbers(items, count)
    described = {"user": data.user_features, "item": data.item_features}
    widths = {"user": warm.shape[1], "item": of_item.shape[1]}
    model = _Scorer({side: (widths[side], described[side].width) for side in SIDES})
    total = steps or int(np.clip(PASSES * len(data.positives) / BATCH, *STEPS))
    if start is not None:
        model.load(start)
        total, learning_rate = max(1, round(FURTHER * total)), learning_rate / 2
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, total)
    chance = np.cumsum((count + 1.0) ** 0.75)
    row = data.positives.row_of
    for _ in range(total):
        place = rng.integers(0, len(row), min(BATCH, len(row)))
        user = row[place].astype(np.int64)
        drawn = _draw(chance, len(place) * NEGATIVES, rng)
        item = np.concatenate([data.positives.indices[place].astype(np.int64), drawn])
        numbers = np.where(rng.random((len(user), 1)) < AS_COLD, cold[user], warm[user])
        side = model.tower("user", torch.from_numpy(numbers), _sparse(described["user"], user))
        ways = [torch.cat([part, part.repeat_interleave(NEGATIVES, 0)]) for part in side]
        # Items recur within a batch: each one's tower is computed once.
        shown, at = np.unique(item, return_inverse=True)
        tower = model.tower("item", torch.from_numpy(of_item[shown]), _sparse(described["item"], shown))
        # Not by indexing, whose gradient adds up in the order of the threads.
        a_item, g_item = (functional.embedding(torch.from_numpy(at), part) for part in tower)
        logit = model((ways[0], ways[1]), (a_item, g_item))
        label = torch.zeros(len(item))
        label[: len(place)] = 1.0
        weight = torch.from_numpy(data.positives.values[place])
        loss = functional.binary_cross_entropy_with_logits(
            logit, label, weight=torch.cat([weight, weight.repeat_interleave(NEGATIVES) / NEGATIVES])
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    return model.export()


def _draw(chance: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return drawn items: every second by `chance` (cumulated), the others uniformly."""
    drawn = rng.integers(0, len(chance), count)
    drawn[::2] = np.searchsorted(chance, rng.random(len(drawn[::2])) * chance[-1]).clip(max=len(chance) - 1)
    return drawn


def _sparse(rows: FeatureRows, nodes: NDArray[np.int64]) -> Tensor | None:
    """Return the nodes' feature rows as a sparse matrix; None where nothing is described."""
    if not len(rows.indices):
        return None
    return Adjacency(rows.indptr, rows.indices, rows.values, rows.width).take(nodes).torch()
