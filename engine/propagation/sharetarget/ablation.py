"""What each group of signals is worth, and what counting and the formula alone reach, on a cut of train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from engine.propagation.sharetarget.examples import Examples
from engine.propagation.sharetarget.ranks import PLACES, mean_reciprocal, ranks
from engine.propagation.sharetarget.training import RankSettings, fit
from engine.serving.sharetarget.history import Float
from engine.serving.sharetarget.model import RankModel
from engine.serving.sharetarget.signals import COLUMNS, GROUPS

QUESTIONS = 5_000
"""Questions that the models of the ablation are fitted on: the comparison is between them, not with the full model."""
EPOCHS = 4
ALPHAS = tuple(step / 20 for step in range(21))
"""Weight of the tie term that is tried against 1 - alpha for the other."""


def ablation(
    early: Examples,
    held: Examples,
    model: RankModel,
    settings: RankSettings,
    *,
    seed: int,
    report: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Return MRR@5 and HITS@5 on the cut.

    `full` is the model of the chosen settings, with one network. `small` is fitted on QUESTIONS questions in EPOCHS
    epochs, and so is each `without_GROUP`: compare these with `small`.
    """
    found: dict[str, Any] = {"full": _scored(held, model.score(held.signals, held.row))}
    found["counting"] = _scored(held, counting(held))
    for side in ("sender", "receiver"):
        alpha, rank = _formula(early, held, side)
        found[f"formula_{side}"] = {**_told(rank), "alpha": alpha}
    chosen = np.sort(np.random.default_rng([seed, 4]).permutation(len(early))[:QUESTIONS])
    few = early.part(chosen)
    quick = replace(settings, networks=1, epochs=EPOCHS, hidden=32, trees=None)
    groups = ("", *GROUPS)
    for place, group in enumerate(groups):
        kept = np.array([at for at, (name, _) in enumerate(COLUMNS) if name != group])
        part = fit(replace(few, signals=few.signals[:, kept]), quick, seed)
        name = f"without_{group}" if group else "small"
        found[name] = _scored(held, part.score(held.signals[:, kept], held.row))
        if report:
            report("ablation", place + 1, len(groups))
    found["n"] = len(held)
    return found


def counting(examples: Examples) -> Float:
    """Return (C,) shares between u and v, fading by half in three days, and a little of friends of friends.

    Those received count three quarters; who came for this very share already is last.
    """
    sent, back = (np.expm1(column(examples, name)) for name in ("sent_3d", "received_3d"))
    return sent + 0.75 * back + 0.05 * column(examples, "adamic_adar") - 1e3 * column(examples, "came")


def column(examples: Examples, name: str) -> Float:
    """Return (C,) one signal."""
    at = [each for _, each in COLUMNS].index(name)
    return examples.signals[:, at].astype(np.float64)


def _formula(early: Examples, held: Examples, side: str) -> tuple[float, Float]:
    """Return alpha of the best alpha * S/D + (1 - alpha) * C/N on the early questions, and its ranks on the cut."""
    part = early.part(np.arange(max(len(early) - QUESTIONS, 0), len(early)))
    terms = [(column(each, f"tie_{side}"), np.expm1(column(each, f"acts_{side}"))) for each in (part, held)]
    best = max(ALPHAS, key=lambda a: _told(ranks(part, a * terms[0][0] + (1 - a) * terms[0][1]))[f"mrr@{PLACES}"])
    return best, ranks(held, best * terms[1][0] + (1 - best) * terms[1][1])


def _scored(examples: Examples, score: Float) -> dict[str, float]:
    return _told(ranks(examples, score))


def _told(rank: Float) -> dict[str, float]:
    return {
        f"mrr@{PLACES}": mean_reciprocal(rank),
        f"hits@{PLACES}": float((rank <= PLACES).mean()),
    }
