"""The search on an objective whose best is known; a study that is stopped and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import DataError
from engine.tuning.space import Settings
from engine.tuning.study import Study, search
from engine.tuning.tune import TuneSettings, tune

HEADER = {"data": "d", "seed": 1, "cuts": 3}
DEFAULT: Settings = {"width": 16, "temperature": 0.5, "id_dropout": 0.1}


class Known:
    """Best at width 64 and temperature 0.15; the cut adds an offset that all trials share."""

    def __init__(self, fresh_best: float = 0.0) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fresh_best = fresh_best

    def __call__(self, settings: Settings, trial: int, cut: int) -> dict[str, Any]:
        self.asked.append((trial, cut))
        value = 0.3 - abs(np.log2(settings["width"] / 64)) * 0.02 - abs(settings["temperature"] - 0.15) * 0.1
        return {"ndcg@20": float(value + 0.01 * cut + (self.fresh_best if trial and cut >= 3 else 0.0)), "seconds": 1.0}


def run(path: Path, objective: Known, **given: Any) -> tuple[Study, bool]:
    study = Study(path, HEADER, DEFAULT)
    return study, search(study, objective, **{"trials": 24, "cuts": 3, "budget_s": 60.0, **given})


def test_the_search_finds_what_is_better_than_the_default(tmp_path: Path) -> None:
    study, enough = run(tmp_path / "s.jsonl", Known())
    best = study.finished(3)[0]
    assert enough
    assert study.trials[0].settings == DEFAULT
    assert best.mean(3) > study.trials[0].mean(3) + 0.03
    assert abs(best.settings["temperature"] - 0.15) < 0.15
    assert best.error(3) == pytest.approx(0.01 / np.sqrt(3))


def test_hopeless_trials_are_stopped_after_a_cut_and_the_default_never(tmp_path: Path) -> None:
    objective = Known()
    study, _ = run(tmp_path / "s.jsonl", objective)
    stopped = [trial for trial in study.trials if trial.is_stopped]
    assert stopped
    assert all(len(trial.results) < 3 for trial in stopped)
    assert len(study.trials[0].results) == 3
    assert len(objective.asked) == sum(len(trial.results) for trial in study.trials) < 24 * 3


def test_a_study_goes_on_where_it_was_stopped_and_tries_the_same(tmp_path: Path) -> None:
    whole, _ = run(tmp_path / "whole.jsonl", Known())

    class Dying(Known):
        def __call__(self, settings: Settings, trial: int, cut: int) -> dict[str, Any]:
            if len(self.asked) == 20:
                raise KeyboardInterrupt
            return super().__call__(settings, trial, cut)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s.jsonl", Dying())
    with (tmp_path / "s.jsonl").open("ab") as file:
        file.write(b'{"trial": 9, "sett')  # a line that a crash cut off
    rest = Known()
    study, enough = run(tmp_path / "s.jsonl", rest)
    assert enough
    assert [trial.settings for trial in study.trials] == [trial.settings for trial in whole.trials]
    assert [trial.results for trial in study.trials] == [trial.results for trial in whole.trials]
    assert len(rest.asked) == sum(len(trial.results) for trial in whole.trials) - 20
    assert all(json.loads(line) for line in (tmp_path / "s.jsonl").read_bytes().splitlines())


def test_no_cut_is_begun_after_the_budget(tmp_path: Path) -> None:
    objective = Known()
    study, enough = run(tmp_path / "s.jsonl", objective, budget_s=0.0)
    assert (enough, objective.asked) == (False, [])
    assert study.finished(3) == []


@pytest.mark.parametrize("trials", [0, 501])
def test_the_number_of_trials_is_bounded(tmp_path: Path, trials: int) -> None:
    with pytest.raises(DataError, match="1 to 500"):
        run(tmp_path / "s.jsonl", Known(), trials=trials)


def test_a_study_of_other_data_is_not_gone_on_with(tmp_path: Path) -> None:
    run(tmp_path / "s.jsonl", Known(), trials=1)
    before = (tmp_path / "s.jsonl").read_bytes()
    with pytest.raises(DataError, match="another file with --study"):
        Study(tmp_path / "s.jsonl", {**HEADER, "data": "e"}, DEFAULT)
    assert (tmp_path / "s.jsonl").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no json\n", b'{"trial": 0}\n', b"[]\n"])
def test_a_file_that_is_no_study_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.jsonl").write_bytes(content)
    with pytest.raises(DataError):
        Study(tmp_path / "s.jsonl", HEADER, DEFAULT)
    assert (tmp_path / "s.jsonl").read_bytes() == content


def test_the_best_is_confirmed_on_cuts_that_chose_nothing(tmp_path: Path) -> None:
    objective = Known()
    found = tune(Study(tmp_path / "s.jsonl", HEADER, DEFAULT), objective, TuneSettings(trials=24, seed=1))
    best = found["confirmed"]["trial"]
    assert {(0, 3), (0, 4), (0, 5), (best, 3), (best, 4), (best, 5)} <= set(objective.asked)
    assert found["confirmed"]["difference"] > 0.03
    assert found["encoder"] == found["tried"][best]["settings"]
    assert len(found["tried"]) == 24
    again = Known()
    assert tune(Study(tmp_path / "s.jsonl", HEADER, DEFAULT), again, TuneSettings(trials=24, seed=1))["encoder"]
    assert again.asked == []


def test_what_is_not_better_on_fresh_cuts_is_not_handed_on(tmp_path: Path) -> None:
    found = tune(Study(tmp_path / "s.jsonl", HEADER, DEFAULT), Known(fresh_best=-0.2), TuneSettings(trials=24, seed=1))
    assert found["confirmed"]["difference"] < 0
    assert found["encoder"] == DEFAULT
    assert "not better on fresh cuts" in found["why"]


def test_without_a_finished_trial_the_default_is_handed_on(tmp_path: Path) -> None:
    found = tune(Study(tmp_path / "s.jsonl", HEADER, DEFAULT), Known(), TuneSettings(trials=3, seed=1, budget_s=1e-9))
    assert (found["encoder"], found["confirmed"], found["study"]["isComplete"]) == (DEFAULT, None, False)
