"""What may be tuned: draws stay inside, files with anything else are refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ArtifactError, DataError
from engine.interest.training import EncoderSettings
from engine.tuning.space import SPACE, checked, draw, neighbour, read_settings


def test_every_setting_is_one_of_the_encoders_and_its_default_is_in_the_space() -> None:
    default = EncoderSettings()
    assert set(SPACE) <= {each.name for each in fields(EncoderSettings)}
    assert checked({name: getattr(default, name) for name in SPACE}, "default")


def test_draws_and_neighbours_stay_in_the_space() -> None:
    rng = np.random.default_rng(0)
    settings = draw(rng, tuple(SPACE))
    for _ in range(200):
        near = neighbour(settings, rng)
        assert checked(near, "neighbour") == near
        assert sum(near[name] != settings[name] for name in SPACE) <= 2
        settings = near if rng.random() < 0.5 else checked(draw(rng, tuple(SPACE)), "draw")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"encoder": {"widht": 64}}, "no setting 'widht'"),
        ({"encoder": {"width": 65}}, "width 65"),
        ({"encoder": {"width": True}}, "width True"),
        ({"encoder": {"with_social": 1}}, "with_social 1"),
        ({"encoder": {"temperature": "0.1"}}, "temperature 0.1"),
        ({"encoder": {"learning_rate": 1e9}}, "learning_rate"),
        ({"encoder": []}, "no object"),
        ({"width": 64}, "settings look like"),
        ([], "settings look like"),
    ],
)
def test_a_file_with_anything_else_is_refused_by_name(tmp_path: Path, content: object, said: str) -> None:
    (tmp_path / "s.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=said):
        read_settings(tmp_path / "s.json")


def test_a_file_that_is_not_there_or_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="missing"):
        read_settings(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"encoder": {"width"')
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_settings(tmp_path / "half.json")


def test_reading_settings_loads_no_torch() -> None:
    script = "import sys, engine.tuning.space; assert not {'torch', 'numba'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
