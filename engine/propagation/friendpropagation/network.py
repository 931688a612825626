"""A network of a pair's signals and GraphSAGE embeddings of its users, fitted with binary cross-entropy.

The embeddings come from the links (Hamilton, Ying, Leskovec 2017, algorithm 1, with the linear rounds of
`engine/interest/encoder.py`); their ids are dropped at random, so that a user without a past cascade is known by
neighbours. What enters the network beside the signals: the products of the sharer's and the friend's vector, of the
mean vector of the last sharers and the friend's, and the friend's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.interest.adjacency import from_pairs
from engine.interest.encoder import NeighbourConv, Neighbourhood
from engine.propagation.friendpropagation.pairs import Float, Folder, Pairs

WIDTH, HIDDEN, ROUNDS = 24, 64, 2
LAST = 32
"""Sharers whose mean vector stands for the cascade so far."""
BATCH, EPOCHS = (256, 4_096), 4
"""Pairs of a step, a sixtieth of all within bounds; passes over the pairs at most."""
AT_A_TIME = 65_536
ID_DROPOUT, DROPOUT = 0.3, 0.2
LEARNING_RATE, WEIGHT_DECAY = 0.002, 1e-4


@dataclass(frozen=True, slots=True)
class Rows:
    """Pairs as the network takes them."""

    signals: Tensor
    """(P, F) standardised."""
    sharer: Tensor
    """(P,)"""
    friend: Tensor
    """(P,)"""
    question: Tensor
    """(P,) row of `sharers`."""
    sharers: Tensor
    """(Q, LAST) the last sharers of each place, U where there are fewer."""


def rows_of(folder: Folder, pairs: Pairs, signals: NDArray[np.float32]) -> Rows:
    """Return the pairs with their users; `signals` are standardised."""
    ties, cascades = folder.neighbours, folder.cascades
    question = pairs.question
    first = np.flatnonzero(np.diff(question, prepend=-1))
    event = cascades.indptr[pairs.cascade[first]] + pairs.place[first]
    back = np.arange(LAST)
    place = event[:, None] - back
    sharers = np.where(back <= pairs.place[first][:, None], cascades.user[np.maximum(place, 0)], folder.users)
    return Rows(
        torch.from_numpy(signals),
        torch.from_numpy(sharers[:, 0][question]),
        torch.from_numpy(ties.user[pairs.tie]),
        torch.from_numpy(question),
        torch.from_numpy(sharers),
    )


class PairNetwork(nn.Module):
    """Log-odds of pairs."""

    def __init__(self, folder: Folder, width: int) -> None:
        super().__init__()
        users, ties = folder.users, folder.neighbours
        degree = np.sqrt(np.maximum(ties.degree, 1))
        value = (1.0 / (degree[ties.owner] * degree[ties.user])).astype(np.float32)
        self._links = Neighbourhood.of(from_pairs(ties.owner, ties.user, (users, users), value))
        self.ids = nn.Parameter(torch.randn(users, WIDTH) * 0.1)
        self.rounds = nn.ModuleList(NeighbourConv(WIDTH, WIDTH) for _ in range(ROUNDS))
        for conv in self.rounds:
            with torch.no_grad():
                conv.lin_l.weight.copy_(torch.eye(WIDTH) + 0.01 * torch.randn(WIDTH, WIDTH))
                conv.lin_l.bias.zero_()
                conv.lin_r.weight.copy_(0.01 * torch.randn(WIDTH, WIDTH))
        self.dense = nn.Sequential(
            nn.Linear(width + 3 * WIDTH, HIDDEN),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN // 2),
            nn.ReLU(),
            nn.Linear(HIDDEN // 2, 1),
        )

    def vectors(self) -> Tensor:
        """Return the users' embeddings with a row of zeros for nobody, (U + 1, WIDTH)."""
        layer = self.ids
        if self.training:
            layer = layer * (torch.rand(len(layer), 1) >= ID_DROPOUT)
        total = layer
        for conv in self.rounds:
            layer = conv(layer, self._links)
            total = total + layer
        return functional.pad(total, (0, 0, 0, 1))

    def forward(self, rows: Rows, at: Tensor) -> Tensor:
        """Return (len(at),) log-odds of the chosen rows."""
        vectors = self.vectors()
        asked, place = torch.unique(rows.question[at], return_inverse=True)
        sharers = rows.sharers[asked]
        count = (sharers < len(vectors) - 1).sum(dim=1, keepdim=True)
        taste = functional.embedding(sharers, vectors).sum(dim=1) / count
        # Not by indexing, whose gradient adds up in the order of the threads.
        sharer, friend = (functional.embedding(users[at], vectors) for users in (rows.sharer, rows.friend))
        taste = functional.embedding(place, taste)
        return self.dense(torch.cat([rows.signals[at], sharer * friend, taste * friend, friend], dim=1)).squeeze(1)


def fit_network(
    folder: Folder, rows: Rows, outcome: NDArray[np.bool_], weight: Float, *, seed: int, epochs: int
) -> Iterator[dict[str, Tensor]]:
    """Yield the network's state after each epoch.

    Args:
        folder: whose links carry the embeddings.
        rows: of the pairs that are fitted on.
        outcome: (P,)
        weight: (P,) of the pairs, mean about 1.
        seed: of everything random.
        epochs: passes over the pairs.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 13])
    network = PairNetwork(folder, rows.signals.shape[1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    label, weights = torch.from_numpy(outcome.astype(np.float32)), torch.from_numpy(weight.astype(np.float32))
    batches = -(-len(label) // int(np.clip(len(label) // 60, *BATCH)))
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, batches * epochs)
    for _ in range(epochs):
        network.train()
        for batch in np.array_split(rng.permutation(len(label)), batches):
            at = torch.from_numpy(batch)
            loss = functional.binary_cross_entropy_with_logits(network(rows, at), label[at], weight=weights[at])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            decay.step()
        yield {name: value.detach().clone() for name, value in network.state_dict().items()}


def log_odds(network: PairNetwork, rows: Rows) -> Float:
    """Return the log-odds of all rows, (P,)."""
    network.eval()
    with torch.inference_mode():
        parts = torch.arange(len(rows.friend)).split(AT_A_TIME)
        found = [network(rows, at) for at in parts]
    return torch.cat(found).numpy().astype(np.float64)


def seen_range(signals: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of each signal, (F,) each; a constant one has deviation 1."""
    deviation = signals.std(axis=0, dtype=np.float64)
    return signals.mean(axis=0, dtype=np.float64).astype(np.float32), np.where(deviation > 1e-9, deviation, 1.0).astype(
        np.float32
    )


def standardised(signals: NDArray[np.float32], mean: NDArray[np.float32], deviation: NDArray[np.float32]) -> NDArray:
    """Return the signals by their spread, drawn in to five deviations."""
    return np.clip((signals - mean) / deviation, -5.0, 5.0)


__all__ = ["PairNetwork", "Rows", "fit_network", "log_odds", "rows_of", "seen_range", "standardised"]
