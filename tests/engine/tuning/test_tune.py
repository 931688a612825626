"""Tuning on a real training: the test file is not read, the settings train a model, every trial has its curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import training
from engine.errors import ArtifactError, DataError
from engine.tuning.tune import TuneSettings, tune_folder
from kith.cli import main
from tests.engine.interest.communities import communities, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_folder(communities(), folder)
    (folder / "test.csv").write_text("nobody may read this\n")
    return folder


def test_the_command_writes_settings_that_a_training_takes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, logs = tmp_path / "tuned.json", tmp_path / "logs"
    line = ["tune", "--data", str(folder), "--trials", "2", "--cuts", "2", "--out", str(out), "--logs", str(logs)]
    assert main([*line, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["cuts"] for row in found["tried"]] == [2, 2]
    assert all(0 < row["ndcg@20"] < 1 for row in found["tried"])
    assert {each.name for each in logs.iterdir()} == {"trial-000", "trial-001"}
    assert all(list((logs / "trial-000" / f"cut-{cut}").iterdir()) for cut in (0, 1))
    written = json.loads(out.read_bytes())
    assert written["encoder"] == found["encoder"]
    assert "rivals" not in written["encoder"]  # a shop of 80 items has all of them as rivals
    settings = training.encoder_settings(out, 3)
    assert settings.width == written["encoder"]["width"]
    assert settings.epochs == 3
    assert main(line) == 0
    shown = capsys.readouterr().out
    assert "trial" in shown
    assert written["why"] in " ".join(shown.split())


@pytest.mark.parametrize("wrong", [{"cuts": 0}, {"cuts": 11}, {"budget_s": 0.0}, {"trials": 0}])
def test_numbers_that_make_no_study_are_refused(folder: Path, tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(DataError):
        tune_folder(folder, None, TuneSettings(**wrong), study=tmp_path / "s.jsonl", out=tmp_path / "t.json", logs=None)
    assert not (tmp_path / "t.json").exists()


def test_a_folder_that_is_no_snapshot_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        tune_folder(None, folder, TuneSettings(), study=tmp_path / "s.jsonl", out=tmp_path / "t.json", logs=None)


def test_a_training_refuses_settings_that_do_not_exist(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text('{"encoder": {"depth": 3}}')
    line = ["train", "--from", str(folder), "--out", str(tmp_path / "m"), "--settings", str(tmp_path / "bad.json")]
    assert main(line) == 2
    assert "no setting 'depth'" in capsys.readouterr().err
