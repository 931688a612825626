"""What settings reach on repeated cuts of the training data: the whole model, NDCG@20 on items that nothing saw."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.evaluation import truth_of
from engine.interest.cut import Cut, make_cut, thin
from engine.interest.data import InterestData
from engine.interest.evaluate import measure
from engine.interest.model import Prepared, complete, prepare
from engine.interest.training import EncoderSettings, Report
from engine.tuning.space import LARGE_SHOPS_ONLY, SPACE, Settings

TEST_USERS = 2_000
"""Users of a cut that a trial is measured on."""


def default_settings(data: InterestData) -> Settings:
    """Return the tunable settings of the encoder as they are without tuning."""
    default = EncoderSettings()
    is_large = data.items > default.full_softmax_items
    values = asdict(default)
    return {name: values[name] for name in SPACE if is_large or name not in LARGE_SHOPS_ONLY}


class CutObjective:
    """Fits the whole model on the k-th cut and measures it on the cut's test part; cuts are made and prepared once."""

    def __init__(self, data: InterestData, seed: int, logs: Path | None = None, report: Report | None = None) -> None:
        """Keep the data.

        Args:
            data: the training data; a test file is none of it.
            seed: of the first cut; the k-th has `seed + k`, and so has what is trained on it.
            logs: folder of TensorBoard runs, one per trial and cut; None: none are written.
            report: called with progress.
        """
        self._data, self._seed, self._logs, self._report = data, seed, logs, report
        self._prepared: dict[int, Prepared] = {}

    def __call__(self, settings: Settings, trial: int, cut: int) -> dict[str, Any]:
        """Return `ndcg@20 recall@20 users seconds` and what the training chose."""
        began = time.perf_counter()
        prepared = self._cut(cut)
        folder = None if self._logs is None else self._logs / f"trial-{trial:03}" / f"cut-{cut}"
        encoder = replace(EncoderSettings(), **settings, seed=self._seed + cut, log_folder=folder)
        choice = complete(prepared, encoder, self._report)
        values, _ = measure(choice.ranker, choice.weights, prepared.cut.test)
        half_life_days = prepared.half_life_days
        return {
            "ndcg@20": float(values["ndcg@20"].mean()),
            "recall@20": float(values["recall@20"].mean()),
            "users": len(prepared.cut.test),
            "seconds": round(time.perf_counter() - began, 2),
            "stepsKept": choice.ranker.models.encoder.steps,
            "form": prepared.recipe.form,
            "ridge": prepared.recipe.ridge,
            "halfLifeDays": half_life_days if np.isfinite(half_life_days) else None,
        }

    def _cut(self, number: int) -> Prepared:
        if number not in self._prepared:
            cut = make_cut(self._data, self._seed + number, test_share=0.1)
            self._prepared = {number: prepare(_thinned(cut), self._report), **self._prepared}
        return self._prepared[number]


def _thinned(cut: Cut) -> Cut:
    test = thin(cut.test, TEST_USERS)
    return replace(cut, test=truth_of(np.repeat(test.user, test.counts), test.item))
