"""The stages of a training: what is told of them, and how long each took."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

from engine.interest.model import Choice
from engine.interest.ranker import Ranker

Report = Callable[[dict[str, Any]], None]


class Stages:
    """Reports the stages of a run and keeps their seconds."""

    def __init__(self, report: Report | None) -> None:
        self._report = report
        self._seconds: dict[str, float] = {}
        self._stage = ""
        self._began = time.perf_counter()

    def __call__(self, stage: str, message: str) -> None:
        """Begin a stage."""
        now = time.perf_counter()
        if self._stage:
            self._seconds[self._stage] = round(now - self._began, 3)
        self._stage, self._began = stage, now
        if self._report is not None:
            self._report({"stage": stage, "done": int(stage == "done"), "total": 1, "message": message})

    def timings(self, choice: Choice, ranker: Ranker) -> dict[str, Any]:
        """Return seconds per stage and per epoch, edges propagated per second, and the largest memory so far."""
        return {
            "stagesS": dict(self._seconds),
            "chooseS": choice.seconds,
            "epochS": choice.ranker.models.encoder.seconds_per_epoch,
            "refitEpochS": ranker.models.encoder.seconds_per_epoch,
            "edgesPerS": round(choice.ranker.models.encoder.edges_per_s),
            "peakMb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }
