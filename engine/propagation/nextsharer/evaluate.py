"""`kith evaluate next-sharer`: fitted on train, chosen on the next tenth, the newest tenth scored once.

Memory, which knows who shared after whom, is made of the first eight tenths alone: neither the choosing tenth nor the
test is ever in it. Of a running cascade the prefix is known.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.nextsharer.counting import CountingSettings, counting_ranks, tune_counting
from engine.propagation.nextsharer.ending import learn_ending, ranks_with_end
from engine.propagation.nextsharer.memory import remember
from engine.propagation.nextsharer.metrics import intervals, paired, told
from engine.propagation.nextsharer.model import NextSharers, choose, past_questions
from engine.propagation.nextsharer.questions import END, make_questions, positions, with_end_marks
from engine.propagation.nextsharer.sequences import Float, Int, Links, Sequences, read_folder
from engine.propagation.nextsharer.signals import GROUPS, NAMES
from engine.propagation.sharetarget.examples import Examples
from engine.propagation.sharetarget.ranks import ranks
from engine.propagation.sharetarget.training import RankSettings, fit
from engine.serving.sharetarget.model import RankModel

TRAIN, CHOSEN = 0.8, 0.9
ORIGINS = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Where the five time cuts of `rolling` end what may be learned from; each asks about the next tenth."""
STEP = 0.1
MIN_CASCADES = 100
HELD_QUESTIONS = 4_000
"""Questions of the choosing tenth at most, drawn from all."""
SMALL_QUESTIONS = 4_000
SMALL = RankSettings(hidden=16, epochs=3, dropout=0.2, screened=130, networks=1)
"""What is compared in the ablation, and on how many questions it is fitted."""
POPULARITY = CountingSettings(sender=1.0, last=0.0, popular=1e6)
"""Counting in which popularity outweighs the rest."""
AT_A_TIME = 20
"""Cascades of the test whose signals are held at a time."""
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """A model, and counting tuned on the same cascades."""

    model: NextSharers
    counting: CountingSettings
    tried: dict[str, float]
    compared: dict[str, Any]
    """The ablation, where one was asked for."""


def evaluate_next_sharer(
    folder: Path, seed: int = 0, *, rolling: bool = False, report: Report | None = None
) -> dict[str, Any]:
    """Learn from train, choose on the next tenth, score the newest tenth once.

    Args:
        folder: holds `cascades.txt`, optionally `edges.txt` (contracts.md, "cascades").
        seed: of everything random.
        rolling: compare with counting at ORIGINS instead, all inside the first nine tenths; the test is not looked at.
        report: called with (stage, done, total).

    Returns:
        The keys of contracts.md; with `rolling` the paired differences of each time cut and of all together.

    Raises:
        DataError: a file is missing or malformed, or there are too few cascades.
    """
    began = time.perf_counter()
    torch.set_num_threads(1)  # batches are small: threads would wait for each other
    say = report or (lambda _stage, _done, _total: None)
    cascades, links, _ = read_folder(folder)
    if len(cascades) < MIN_CASCADES:
        raise DataError(
            f"{Path(folder) / 'cascades.txt'}: line 1: {len(cascades)} cascades of 2 to 500 users; "
            f"at least {MIN_CASCADES} are needed"
        )
    result = _rolling(cascades, links, seed, say) if rolling else _once(cascades, links, seed, say)
    result |= {"seed": seed, "seconds": round(time.perf_counter() - began, 2)}
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = result.pop("questions")
    return result


def learn(past: Sequences, held: Sequences, links: Links, seed: int, say: Report, *, compare: bool = True) -> Learned:
    """Fit on `past`, choose on `held`; `compare` adds the ablation, also on `held`."""
    say("fit", 0, 4)
    early = past_questions(past, links, seed)
    say("fit", 1, 4)
    memory = remember(past, links, seed)
    asked = positions(held)
    asked &= np.random.default_rng([seed, 12]).random(len(asked)) < HELD_QUESTIONS / max(1, asked.sum())
    questions = make_questions(memory, held, asked)
    say("fit", 2, 4)
    counting = tune_counting(memory, held, asked)
    say("fit", 3, 4)
    ranker, tried = choose(early, questions, seed)
    say("fit", 4, 4)
    compared: dict[str, Any] = {}
    if compare:
        counted = {
            "counting": counting_ranks(memory, held, asked, counting),
            "popularity": counting_ranks(memory, held, asked, POPULARITY),
        }
        compared = _ablation(early, questions, ranker, counted, seed=seed, say=say)
    model = NextSharers(memory, ranker, learn_ending(past, memory.fresh))
    return Learned(model, counting, tried, compared)


def cut(count: int) -> tuple[int, int]:
    """Return where train ends and where the choosing tenth ends, of `count` cascades by start."""
    return int(TRAIN * count), int(CHOSEN * count)


def _once(cascades: Sequences, links: Links, seed: int, say: Report) -> dict[str, Any]:
    count = len(cascades)
    train, chosen = cut(count)
    learned = learn(cascades.part(0, train), cascades.part(train, chosen), links, seed, say)
    test = with_end_marks(cascades.part(chosen, count))
    say("test", 0, 1)
    asked = positions(test)
    rank, ended = ranks_of(learned.model, test, asked)
    of = np.repeat(np.arange(len(test)), np.diff(test.indptr))[asked]
    users = test.user[asked] != END
    counted = counting_ranks(learned.model.memory, test, asked & (test.user != END), learned.counting)
    say("test", 1, 1)
    result: dict[str, Any] = {**told(rank[users])}
    result["with_end"] = {**told(ended), "n": len(ended)}
    result["counting"] = {**told(counted), "settings": asdict(learned.counting)}
    result["against_counting"] = paired(rank[users], counted, of[users], seed)
    result["cascades"] = {"train": train, "choose": chosen - train, "test": count - chosen}
    trees = learned.model.ranker.trees
    result["chosen"] = {"trees": 0 if trees is None else len(trees), "blend": learned.model.ranker.blend}
    result["tried"] = learned.tried
    result["ablation"] = learned.compared
    result["interval"] = intervals(rank[users], of[users], seed)
    result["questions"] = int(users.sum())
    return result


def ranks_of(model: NextSharers, test: Sequences, asked: NDArray[np.bool_]) -> tuple[Float, Float]:
    """Return (Q,) ranks of the answers among users, and with the end mark among them; some cascades at a time."""
    found, ended = [], []
    for start in range(0, len(test), AT_A_TIME):
        end = min(start + AT_A_TIME, len(test))
        part, mine = test.part(start, end), asked[test.indptr[start] : test.indptr[end]]
        questions = make_questions(model.memory, part, mine)
        score = model.ranker.score(questions.signals, questions.row)
        rank = ranks(questions, score)
        seen = (np.arange(len(part.user)) - np.repeat(part.indptr[:-1], np.diff(part.indptr)))[mine]
        is_end = part.user[mine] == END
        found.append(rank)
        ended.append(ranks_with_end(questions, score, rank, model.ending.of(seen), is_end))
    return np.concatenate(found), np.concatenate(ended)


def _rolling(cascades: Sequences, links: Links, seed: int, say: Report) -> dict[str, Any]:
    """Return the paired differences to counting, at each origin and pooled; nothing of the last tenth is read."""
    cuts: list[dict[str, Any]] = []
    pooled: list[tuple[Float, Float, Int]] = []
    for place, origin in enumerate(ORIGINS):
        known, until = int(origin * len(cascades) + 1e-9), int((origin + STEP) * len(cascades) + 1e-9)
        train = known * 8 // 9
        learned = learn(cascades.part(0, train), cascades.part(train, known), links, seed, say, compare=False)
        later = cascades.part(known, until)
        asked = positions(later)
        rank, _ = ranks_of(learned.model, later, asked)
        counted = counting_ranks(learned.model.memory, later, asked, learned.counting)
        of = np.repeat(np.arange(known, until), np.diff(later.indptr))[asked]
        pooled.append((rank, counted, of))
        cuts.append({"origin": origin, "model": told(rank), "counting": told(counted), "n": len(rank)})
        cuts[-1]["against_counting"] = paired(rank, counted, of, seed)
        say("origins", place + 1, len(ORIGINS))
    rank, counted, of = (np.concatenate(column) for column in zip(*pooled, strict=True))
    result = {**told(rank), "counting": told(counted), "against_counting": paired(rank, counted, of, seed)}
    return {**result, "origins": cuts, "questions": len(rank)}


def _ablation(
    early: Examples, held: Examples, ranker: RankModel, counted: dict[str, Float], *, seed: int, say: Report
) -> dict[str, Any]:
    """Return the metrics on the choosing tenth: the model, counting, a small fit, and that without each group.

    `full` was chosen on these questions and so was counting; compare each `without_GROUP` with `small`.
    """
    found: dict[str, Any] = {"full": told(ranks(held, ranker.score(held.signals, held.row)))}
    found |= {name: told(rank) for name, rank in counted.items()}
    for name in ("factors", "linear9"):
        found[f"only_{name}"] = told(ranks(held, held.signals[:, NAMES.index(name)].astype(np.float64)))
    few = early.part(np.sort(np.random.default_rng([seed, 13]).permutation(len(early))[:SMALL_QUESTIONS]))
    for place, group in enumerate(("", *GROUPS)):
        kept = np.array([at for at, name in enumerate(NAMES) if name not in GROUPS.get(group, ())])
        part = fit(replace(few, signals=few.signals[:, kept]), SMALL, seed)
        score = part.score(held.signals[:, kept], held.row)
        found[f"without_{group}" if group else "small"] = told(ranks(held, score))
        say("ablation", place + 1, len(GROUPS) + 1)
    return {**found, "n": len(held)}
