"""The plain baseline: p(u, i) = sigma(W_u h_u + W_i h_i + b) on the embeddings, trained with cross-entropy.

The logit adds up a part of the user and a part of the item, so for one user it ranks items by W_i h_i alone: a
learned popularity. It is measured beside the blend, and is a part of it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engine.interest.adjacency import Adjacency
from engine.interest.losses import binary_cross_entropy
from engine.serving.blend import PlainModel


def fit_plain(
    users: NDArray[np.float32],
    items: NDArray[np.float32],
    positives: Adjacency,
    *,
    seed: int = 0,
    steps: int = 150,
    batch: int = 8192,
    learning_rate: float = 0.1,
) -> PlainModel:
    """Fit W_u, W_i and b, one item drawn uniformly against each positive.

    Args:
        users: (U, D) embeddings.
        items: (I, D) embeddings.
        positives: (U, I) weights.
        seed: of the draws.
        steps: optimiser steps.
        batch: positives per step.
        learning_rate: Adam's, falling to zero over the steps.
    """
    rng = np.random.default_rng(seed)
    width = users.shape[1]
    user_weight, item_weight = torch.zeros(width, requires_grad=True), torch.zeros(width, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([user_weight, item_weight, bias], lr=learning_rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
    row = positives.row_of
    h_user, h_item = torch.from_numpy(users), torch.from_numpy(items)
    for _ in range(steps):
        place = rng.integers(0, len(positives), min(batch, 4 * len(positives)))
        other = torch.from_numpy(rng.integers(0, positives.columns, len(place)))
        of_user = h_user[torch.from_numpy(row[place].astype(np.int64))] @ user_weight + bias
        positive = of_user + h_item[torch.from_numpy(positives.indices[place].astype(np.int64))] @ item_weight
        negative = of_user + h_item[other] @ item_weight
        loss = binary_cross_entropy(positive, negative, torch.from_numpy(positives.values[place]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    return PlainModel(user_weight.detach().numpy(), item_weight.detach().numpy(), float(bias.detach()))
