"""`kith tune`: search on repeated cuts, confirm the best on fresh ones, write the settings that a training takes."""

from __future__ import annotations

import hashlib
import json
import math
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifact import read_snapshot
from engine.artifact.folder import write_json
from engine.errors import DataError
from engine.interest.data import InterestData, from_folder, from_snapshot
from engine.interest.threads import set_threads
from engine.interest.training import Report
from engine.tuning.objective import CutObjective, default_settings
from engine.tuning.study import Objective, Study, Tell, Trial, search

MOST_CUTS = 10
SEARCH_SHARE = 0.7
"""Of the budget; the rest is for confirming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """How to search."""

    trials: int = 20
    cuts: int = 3
    budget_s: float = 3_600.0
    seed: int = 0
    threads: int = 0


def tune_folder(
    data: Path | None,
    snapshot: Path | None,
    settings: TuneSettings,
    *,
    study: Path,
    out: Path,
    logs: Path | None,
    tell: Tell | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Tune on a benchmark folder's `train.csv` (no other interactions of it are read) or on a snapshot.

    Args:
        data: a benchmark folder, or None.
        snapshot: a snapshot folder, or None; one of the two.
        settings: how to search.
        study: the file that the search goes on from.
        out: where the settings go.
        logs: folder of TensorBoard runs.
        tell: told how far the search is.
        report: told how far a training is.

    Raises:
        DataError, ArtifactError: the data, the study or the numbers asked for are no good.
    """
    if not 1 <= settings.cuts <= MOST_CUTS:
        raise DataError(f"a study has 1 to {MOST_CUTS} cuts, not {settings.cuts}")
    if not settings.budget_s > 0:
        raise DataError("the budget is no positive number of seconds")
    set_threads(settings.threads)
    if data is not None:
        learned = from_folder(data, with_test=False).data
    elif snapshot is not None:
        learned = from_snapshot(read_snapshot(snapshot))
    else:
        raise DataError("nothing to tune on: name a benchmark folder or a snapshot")
    objective = CutObjective(learned, settings.seed, logs, report)
    header = {"data": fingerprint(learned), "seed": settings.seed, "cuts": settings.cuts}
    result = tune(Study(study, header, default_settings(learned)), objective, settings, tell)
    write_json(out, {key: result[key] for key in ("encoder", "why", "confirmed", "study")})
    return {**result, "out": str(out)}


def tune(study: Study, objective: Objective, settings: TuneSettings, tell: Tell | None = None) -> dict[str, Any]:
    """Search, confirm, and return the settings with all that was tried."""
    began = time.monotonic()
    enough = search(
        study,
        objective,
        trials=settings.trials,
        cuts=settings.cuts,
        budget_s=SEARCH_SHARE * settings.budget_s,
        tell=tell,
    )
    finished = study.finished(settings.cuts)
    best = finished[0] if finished else None
    confirmed = None
    if best is not None and best.number != 0:
        left_s = settings.budget_s - (time.monotonic() - began)
        confirmed = confirm(study, best, objective, cuts=settings.cuts, budget_s=left_s, tell=tell)
    encoder, why = _decide(study, best, confirmed)
    return {
        "encoder": encoder,
        "why": why,
        "confirmed": confirmed,
        "study": {
            "file": study.path.name,
            "seed": settings.seed,
            "cuts": settings.cuts,
            "trials": len(study.trials),
            "finished": len(finished),
            "stoppedEarly": sum(trial.is_stopped for trial in study.trials),
            "isComplete": enough,
        },
        "tried": [_row(trial, settings.cuts) for trial in study.trials],
        "seed": settings.seed,
        "seconds": round(time.monotonic() - began, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "n": sum(len(trial.results) for trial in study.trials),
    }


def confirm(
    study: Study, best: Trial, objective: Objective, *, cuts: int, budget_s: float, tell: Tell | None = None
) -> dict[str, Any] | None:
    """Compare the best with the default on as many fresh cuts, which chose nothing; None where the time is over.

    The best of many trials looks better on the cuts that chose it than it is; these say what is left of it.
    """
    began = time.monotonic()
    default = study.trials[0]
    for cut in range(cuts, 2 * cuts):
        for trial in (default, best):
            if cut in trial.results:
                continue
            if time.monotonic() - began >= budget_s:
                return None
            study.note(trial, cut, objective(trial.settings, trial.number, cut))
        if tell is not None:
            tell("confirm", cut - cuts + 1, cuts, "the best beside the default on a fresh cut")
    values = {
        name: np.array([trial.results[cut]["ndcg@20"] for cut in range(cuts, 2 * cuts)])
        for name, trial in (("default", default), ("best", best))
    }
    difference = values["best"] - values["default"]
    error = float(difference.std(ddof=1) / math.sqrt(cuts)) if cuts > 1 else None
    return {
        "trial": best.number,
        "cuts": cuts,
        "default": float(values["default"].mean()),
        "best": float(values["best"].mean()),
        "difference": float(difference.mean()),
        "standardError": error,
    }


def fingerprint(data: InterestData) -> str:
    """Return a name that equal training data share."""
    digest = hashlib.sha256(json.dumps([data.users, data.items]).encode())
    for matrix in (data.positives, data.friends, data.follows, data.received):
        digest.update(np.ascontiguousarray(matrix.indptr).data)
        digest.update(np.ascontiguousarray(matrix.indices).data)
        digest.update(np.ascontiguousarray(matrix.values).data)
    return digest.hexdigest()[:16]


def _decide(study: Study, best: Trial | None, confirmed: Mapping[str, Any] | None) -> tuple[dict[str, Any], str]:
    default = dict(study.default)
    if best is None:
        return default, "the default: no trial was run on all cuts within the budget"
    if best.number == 0:
        return default, "the default: no trial was better on the cuts"
    if confirmed is None:
        return default, f"the default: trial {best.number} was better, but the budget ended before it was confirmed"
    if confirmed["difference"] <= 0:
        return default, f"the default: trial {best.number} was not better on fresh cuts"
    return dict(best.settings), f"trial {best.number}: better than the default on fresh cuts too"


def _row(trial: Trial, cuts: int) -> dict[str, Any]:
    values = [trial.results[cut] for cut in range(cuts) if cut in trial.results]
    mean = float(np.mean([each["ndcg@20"] for each in values])) if values else None
    error = trial.error(cuts)
    return {
        "trial": trial.number,
        "settings": trial.settings,
        "cuts": len(values),
        "ndcg@20": mean,
        "standardError": error if math.isfinite(error) else None,
        "seconds": round(sum(each.get("seconds", 0.0) for each in values), 2),
        "isStopped": trial.is_stopped,
    }
