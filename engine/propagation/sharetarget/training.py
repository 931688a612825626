"""Fit the ranker: listwise softmax over the candidates of each question, the hopeless ones screened."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import DataError, TrainingError
from engine.propagation.sharetarget.boosting import TreeSettings, boost
from engine.propagation.sharetarget.examples import Examples, joined
from engine.propagation.sharetarget.ranks import mean_reciprocal, ranks
from engine.serving.sharetarget.model import BELOW, SCREENED, RankModel, screened

MIN_ANSWERED = 200
"""Questions whose answer is a candidate; with fewer nothing is learned."""
SCREEN_QUESTIONS = 8_000
"""Questions that means, scales and the screen are fitted on."""
MOMENT_ROWS = 16_384
CLOSE_QUESTIONS = 4_000
"""Questions that are screened at a time; bounds memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSettings:
    """Settings of the ranker."""

    hidden: int = 64
    epochs: int = 5
    batch: int = 256
    rate: float = 2e-3
    decay: float = 1e-1
    dropout: float = 0.1
    networks: int = 3
    screened: int = SCREENED
    """Candidates of a question that networks and trees see."""
    trees: TreeSettings | None = None
    blend: float = 0.5
    """Weight of the trees beside the networks."""


CHOICES: tuple[dict[str, float], ...] = ({"epochs": 8, "dropout": 0.3}, {"epochs": 2, "dropout": 0.5})
"""Settings of networks that are tried on the cut."""
TREES = (20, 40, 80, 160, 240)
"""Numbers of trees that are tried on the cut, each with every one of BLENDS."""
BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Descent:
    """One run of AdamW."""

    epochs: int
    batch: int
    rate: float
    decay: float
    seed: int


def fit(examples: Examples, settings: RankSettings, seed: int) -> RankModel:
    """Return a ranker fitted on the examples.

    The loss is the cross-entropy of the true recipient against all candidates of the question (Cao et al., Learning to
    rank: from pairwise approach to listwise approach, ICML 2007, with one relevant document).

    Args:
        examples: questions; those whose answer is no candidate teach nothing and are left out.
        settings: of the ranker.
        seed: of starts and batches.

    Raises:
        DataError: too few questions have their answer among the candidates.
        TrainingError: the loss is not finite.
    """
    examples = examples.answerable()
    if len(examples) < MIN_ANSWERED:
        raise DataError(f"{len(examples)} shares have a recipient who could be foreseen; {MIN_ANSWERED} are needed")
    drawn = np.random.default_rng([seed, 1]).permutation(len(examples))[:SCREEN_QUESTIONS]
    sample = examples.part(np.sort(drawn))
    mean, scale = _moments(sample.signals)
    blank = RankModel(mean, scale, np.zeros_like(mean), (), settings.screened)
    model = replace(blank, screen=_fit_screen(blank, sample, seed))
    starts = range(0, len(examples), CLOSE_QUESTIONS)
    blocks = (np.arange(start, min(start + CLOSE_QUESTIONS, len(examples))) for start in starts)
    close = joined([_close(model, examples.part(block)) for block in blocks])
    networks = [_fit_network(model, close, settings, seed + number) for number in range(settings.networks)]
    trees = boost(close, settings.trees, seed) if settings.trees else None
    return replace(model, networks=tuple(networks), trees=trees, blend=settings.blend)


def _moments(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (F,) means and deviations > 0 of (C, F) signals; a block at a time, as doubles take twice the room."""
    mean = signals.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for start in range(0, len(signals), MOMENT_ROWS):
        squares += ((signals[start : start + MOMENT_ROWS] - mean) ** 2).sum(axis=0)
    scale = np.maximum(np.sqrt(squares / len(signals)), 1e-6)
    return mean.astype(np.float32), scale.astype(np.float32)


def _close(model: RankModel, examples: Examples) -> Examples:
    """Return the examples with standardised signals and only the candidates that pass the screen, or are the answer."""
    z = model.standardised(examples.signals)
    row = examples.row
    kept = np.zeros(len(row), dtype=bool)
    kept[screened((z @ model.screen).astype(np.float64), row, model.screened)] = True
    kept[examples.answer] = True
    place = np.cumsum(kept) - 1
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=len(examples)))])
    return Examples(z[kept], examples.user[kept], indptr, place[examples.answer])


def _fit_screen(blank: RankModel, sample: Examples, seed: int) -> np.ndarray:
    """Return (F,) weights of a linear score."""
    part = replace(sample, signals=blank.standardised(sample.signals))
    torch.manual_seed(seed)
    linear = nn.Linear(part.signals.shape[1], 1, bias=False)
    nn.init.zeros_(linear.weight)
    _descend(linear, part, Descent(epochs=3, batch=128, rate=2e-2, decay=1e-4, seed=seed))
    return linear.weight.detach().numpy()[0].copy()


class _Network(nn.Module):
    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.skip = nn.Linear(width, 1, bias=False)
        self.first = nn.Linear(width, hidden)
        self.second = nn.Linear(hidden, hidden // 2)
        self.last = nn.Linear(hidden // 2, 1, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, z: Tensor) -> Tensor:
        h = self.drop(torch.relu(self.first(z)))
        h = self.drop(torch.relu(self.second(h)))
        return self.skip(z) + self.last(h)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights under the names of LAYERS."""
        tensors = {
            "w": self.skip.weight[0],
            "A": self.first.weight.T,
            "a": self.first.bias,
            "B": self.second.weight.T,
            "b": self.second.bias,
            "c": self.last.weight[0],
        }
        return {name: np.ascontiguousarray(tensor.detach().numpy()).copy() for name, tensor in tensors.items()}


def _fit_network(model: RankModel, close: Examples, settings: RankSettings, seed: int) -> dict[str, np.ndarray]:
    torch.manual_seed(seed)
    network = _Network(close.signals.shape[1], settings.hidden, settings.dropout)
    with torch.no_grad():  # the search starts from the screen's score
        network.skip.weight.copy_(torch.from_numpy(model.screen)[None])
        network.last.weight.mul_(0.1)

    _descend(network, close, Descent(settings.epochs, settings.batch, settings.rate, settings.decay, seed))
    return network.arrays()


def _descend(network: nn.Module, examples: Examples, descent: Descent) -> None:
    """Fit by AdamW under one cycle of the rate (Smith and Topin, Super-convergence, 2018)."""
    rng = np.random.default_rng([descent.seed, 2])
    steps = descent.epochs * -(-len(examples) // descent.batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=descent.rate, weight_decay=descent.decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, descent.rate, total_steps=steps, pct_start=0.1)
    signals, counts = torch.from_numpy(examples.signals), np.diff(examples.indptr)
    network.train()
    for _ in range(descent.epochs):
        order = rng.permutation(len(examples))
        for start in range(0, len(order), descent.batch):
            chosen = order[start : start + descent.batch]
            bounds = np.concatenate([[0], np.cumsum(counts[chosen])])
            shift = examples.indptr[chosen] - bounds[:-1]
            place = np.repeat(shift, counts[chosen]) + np.arange(bounds[-1])
            row = torch.from_numpy(np.repeat(np.arange(len(chosen)), counts[chosen]))
            score = network(signals[torch.from_numpy(place)]).squeeze(-1)
            loss = _listwise(score, row, torch.from_numpy(examples.answer[chosen] - shift), len(chosen))
            if not torch.isfinite(loss):
                raise TrainingError("the loss of the share-target ranker is not finite")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
    network.eval()


def _listwise(score: Tensor, row: Tensor, answer: Tensor, questions: int) -> Tensor:
    """Return the mean cross-entropy of the answers; `row` (C,) is each candidate's question."""
    top = torch.full((questions,), -torch.inf).scatter_reduce(0, row, score.detach(), "amax")
    mass = torch.zeros(questions).index_add(0, row, torch.exp(score - top[row]))
    return (torch.log(mass) + top - score[answer]).mean()


def choose(
    examples: Examples, held: Examples, settings: RankSettings, seed: int
) -> tuple[RankSettings, RankModel, dict[str, float]]:
    """Return the settings of best MRR@5 on `held`, the one-network model fitted with them, and what each reached."""
    reached: dict[str, float] = {}
    models: list[tuple[RankSettings, RankModel]] = []
    for place, tried in enumerate(CHOICES):
        own = replace(settings, **tried)
        # Trees do not hang on the networks: one fit is enough.
        model = fit(examples, replace(own, networks=1, trees=None if place else own.trees), seed)
        rank = ranks(held, replace(model, trees=None).score(held.signals, held.row))
        reached[" ".join(f"{name}={value}" for name, value in tried.items())] = mean_reciprocal(rank)
        models.append((own, model))
    chosen, model = models[int(np.argmax(list(reached.values())))]
    trees = models[0][1].trees
    if trees is None or settings.trees is None:
        return chosen, model, reached
    return *_choose_blend(held, chosen, replace(model, trees=trees), reached), reached


def _choose_blend(
    held: Examples, settings: RankSettings, model: RankModel, reached: dict[str, float]
) -> tuple[RankSettings, RankModel]:
    """Return settings and model with the number of trees and the weight of best MRR@5 on `held`; adds to `reached`."""
    trees, kept = model.trees, settings.trees
    if trees is None or kept is None:
        raise TrainingError("there are no trees to choose among")
    z = model.standardised(held.signals)
    base = (z @ model.screen).astype(np.float64)
    chosen = screened(base, held.row, model.screened)
    z, base = z[chosen], base - BELOW
    networks, grown, done = model.by_networks(z), np.zeros(len(z)), 0
    best = (-1.0, 0, 0.0)
    for count in sorted({min(count, len(trees)) for count in TREES}):
        grown = grown + trees.first(count).after(done).score(z)
        done = count
        for blend in BLENDS:
            score = base.copy()
            score[chosen] = (1.0 - blend) * networks + blend * grown
            mrr = mean_reciprocal(ranks(held, score))
            reached[f"trees={count} blend={blend}"] = mrr
            best = max(best, (mrr, count, blend))
    _, count, blend = best
    settings = replace(settings, trees=replace(kept, trees=count), blend=blend)
    return settings, replace(model, trees=trees.first(count), blend=blend)
