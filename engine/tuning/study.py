"""The search: trials one after the other, each on several cuts, bad ones stopped early, every result on disk at once.

Random search (Bergstra and Bengio, 2012) whose later half looks around the best; a trial stops after a cut where its
mean is below the median of the finished trials' means at that point (the median rule of Golovin et al., Google Vizier,
2017). A study is a file of JSON lines that is only ever appended to: whoever starts again goes on where it ended.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import DataError
from engine.tuning.space import Settings, draw, neighbour

FORMAT = 1
MOST_TRIALS = 500
MOST_BYTES = 20_000_000
"""A study's file is refused unread above it."""
LEAST_FINISHED = 3
"""Trials that must be finished before one is stopped early."""
Objective = Callable[[Settings, int, int], dict[str, Any]]
"""(settings, trial, cut) -> `ndcg@20` and whatever else is worth keeping."""
Tell = Callable[[str, int, int, str], None]


@dataclass(slots=True)
class Trial:
    """Settings and what they reached on each cut."""

    number: int
    settings: Settings
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By cut."""
    is_stopped: bool = False
    """Whether the median rule ended it."""

    def mean(self, cuts: int) -> float:
        """Return the mean of NDCG@20 over the first cuts; nan while one is missing."""
        values = [self.results[cut]["ndcg@20"] for cut in range(cuts) if cut in self.results]
        return float(np.mean(values)) if len(values) == cuts else math.nan

    def error(self, cuts: int) -> float:
        """Return the standard error of that mean; nan for one cut."""
        values = [self.results[cut]["ndcg@20"] for cut in range(cuts) if cut in self.results]
        return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


class Study:
    """The trials so far, and the file that holds them."""

    def __init__(self, path: Path, header: Mapping[str, Any], default: Settings) -> None:
        """Open a study, or begin one.

        Args:
            path: the file.
            header: what makes the study what it is (data, seed, cuts); a file with another one is refused.
            default: settings of the first trial.

        Raises:
            DataError: the file is another study's, too large, or no study.
        """
        self.path, self.header, self.default = path, {"format": FORMAT, **header}, default
        self.names = tuple(sorted(default))
        self.trials: list[Trial] = []
        self._read()

    def finished(self, cuts: int) -> list[Trial]:
        """Return the trials that were run on all cuts, the best first."""
        done = [trial for trial in self.trials if not math.isnan(trial.mean(cuts))]
        return sorted(done, key=lambda trial: (-trial.mean(cuts), trial.number))

    def propose(self, number: int, trials: int, cuts: int) -> Settings:
        """Return the settings of a new trial: the default first, then drawn, later also around the best."""
        rng = np.random.default_rng([int(self.header["seed"]), 7, number])
        if number == 0:
            return dict(self.default)
        best = self.finished(cuts)
        if best and 2 * number >= trials and number % 2 == 0:
            return neighbour(best[0].settings, rng)
        return draw(rng, self.names)

    def trial(self, number: int, trials: int, cuts: int) -> Trial:
        """Return a trial, its settings proposed if it is new."""
        if number == len(self.trials):
            self.trials.append(Trial(number, self.propose(number, trials, cuts)))
        return self.trials[number]

    def note(self, trial: Trial, cut: int, result: Mapping[str, Any]) -> None:
        """Write one result to the file and keep it."""
        line = {"trial": trial.number, "settings": trial.settings, "cut": cut, "result": dict(result)}
        trial.results[cut] = line["result"]
        self._append(line)

    def note_stopped(self, trial: Trial) -> None:
        """Write that the median rule ended a trial."""
        trial.is_stopped = True
        self._append({"trial": trial.number, "settings": trial.settings, "stopped": True})

    def _append(self, line: Mapping[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(line, sort_keys=True, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append(self.header)
            return
        if self.path.stat().st_size > MOST_BYTES:
            raise DataError(f"{self.path} is larger than {MOST_BYTES} bytes; no study is")
        whole = self.path.read_bytes()
        kept = whole[: whole.rfind(b"\n") + 1]
        try:
            header, *lines = [json.loads(line) for line in kept.splitlines()]
            if header != self.header:
                raise DataError(
                    f"{self.path} is a study of other data, cuts or seed ({json.dumps(header)[:300]}): "
                    "name another file with --study"
                )
            for line in lines:
                self._take(line)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"{self.path} is no study: {error}") from None
        if kept != whole:  # the last line was cut off by a crash
            with self.path.open("r+b") as file:
                file.truncate(len(kept))

    def _take(self, line: Mapping[str, Any]) -> None:
        number = int(line["trial"])
        if number == len(self.trials):
            self.trials.append(Trial(number, dict(line["settings"])))
        trial = self.trials[number]
        if line.get("stopped"):
            trial.is_stopped = True
        else:
            trial.results[int(line["cut"])] = dict(line["result"])


def search(
    study: Study, objective: Objective, *, trials: int, cuts: int, budget_s: float, tell: Tell | None = None
) -> bool:
    """Run trials until there are enough or the time is over; return whether there are enough.

    Args:
        study: so far; goes on with a trial that was left in the middle.
        objective: what a trial reaches on a cut.
        trials: number of trials in all, at most `MOST_TRIALS`.
        cuts: cuts per trial.
        budget_s: no cut is begun after so many seconds; one that is begun is finished.
        tell: told how far the search is.

    Raises:
        DataError: too many trials, or none.
    """
    if not 1 <= trials <= MOST_TRIALS:
        raise DataError(f"a study has 1 to {MOST_TRIALS} trials, not {trials}")
    began = time.monotonic()
    for number in range(trials):
        trial = study.trial(number, trials, cuts)
        for cut in range(cuts):
            if trial.is_stopped:
                break
            if cut in trial.results:
                continue
            if time.monotonic() - began >= budget_s:
                return False
            result = objective(trial.settings, number, cut)
            study.note(trial, cut, result)
            if tell is not None:
                tell("trial", number + 1, trials, f"cut {cut + 1} of {cuts}: NDCG@20 {result['ndcg@20']:.4f}")
            if _is_hopeless(study, trial, cut + 1, cuts):
                study.note_stopped(trial)
    return True


def _is_hopeless(study: Study, trial: Trial, done: int, cuts: int) -> bool:
    """Whether the trial's mean so far is below the median of the finished trials' at the same point."""
    others = [other.mean(done) for other in study.finished(cuts) if other.number != trial.number]
    if trial.number == 0 or done == cuts or len(others) < LEAST_FINISHED:
        return False
    return trial.mean(done) < float(np.median(others))
