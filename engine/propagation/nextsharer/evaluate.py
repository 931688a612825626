"""`kith evaluate next-sharer`: fitted on train, chosen on the next tenth, the newest tenth scored once.

Memory, which knows who shared after whom, is made of the first eight tenths alone: neither the choosing tenth nor the test
is ever in it. Of a running cascade it knows the prefix.
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
from engine.propagation.nextsharer.memory import Memory, remember
from engine.propagation.nextsharer.metrics import intervals, paired, told
from engine.propagation.nextsharer.model import LEAST, NextSharers, choose, past_questions
from engine.propagation.nextsharer.questions import make_questions, positions, with_end_marks
from engine.propagation.nextsharer.sequences import Float, Int, Links, Sequences, no_links, read_folder
from engine.propagation.nextsharer.walk import GROUPS, NAMES
from engine.propagation.sharetarget.examples import Examples, joined
from engine.propagation.sharetarget.ranks import ranks
from engine.propagation.sharetarget.training import RankSettings, fit

TRAIN, CHOSEN = 0.8, 0.9
ORIGINS = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Where the five time cuts of `rolling` end what may be learned from; each asks about the next tenth."""
STEP = 0.1
MIN_CASCADES = 100
SMALL = RankSettings(hidden=16, epochs=2, dropout=0.2, screened=160, networks=1)
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """A model with what it was compared with."""

    model: NextSharers
    counting: CountingSettings
    settings: RankSettings
    early: Examples
    held: Examples
    counted: Float
    """Ranks of the held questions by counting."""
    tried: dict[str, float]


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
