"""The protocol of `kith evaluate cascade-size`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.cascades import from_folder
from engine.propagation.size_evaluation import evaluate_sizes, growth, origins, usable
from kith.cli import main
from tests.engine.propagation.selfexciting import simulate

PUBLIC_DATA = Path(os.environ.get("TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
"""Where public benchmark folders lie, if they are there."""


def write(folder: Path, cascades) -> Path:
    lines = []
    for row in range(len(cascades)):
        place = cascades.events_of(np.array([row]))
        times = cascades.start_s[row] + cascades.seconds[place]
        lines.append("".join(f"{user} {time:.0f}," for user, time in zip(cascades.user[place], times, strict=True)))
    (folder / "cascades.txt").write_text("\n".join(lines) + "\n")
    return folder


TEN = """\
1 500,2 510,3 520,4 530,5 540,6 560,7 599,8 601,
1 100,2 110,3 120,4 130,5 140,6 161,7 170,8 200,9 201,
1 100,2 110,3 120,4 130,5 161,6 170,
9 0,1 0,2 1,3 2,4 60,5 61,6 99,
1 700,2 701,3 702,4 703,5 704,
1 899,2 900,3 901,4 902,5 903,
1 900,2 900,3 901,4 902,5 903,6 1000,
1 950,2 950,3 950,4 950,5 950,6 950,
1 50,2 51,
3 300,4 360,5 360,6 360,7 360,8 400,9 400,
"""


def test_the_cut_by_hand(tmp_path):
    # Window 60 s, horizon 100 s; the last event of all is at 1000, so a start must be before 900.
    (tmp_path / "cascades.txt").write_text(TEN)
    cascades = from_folder(tmp_path)
    rows = usable(cascades, 60.0, 100.0)
    assert rows.tolist() == [3, 1, 9, 0, 4, 5]  # 2 has four events in its minute, 8 two; 6 and 7 end too late
    further = [2, 3, 2, 1, 0, 0]  # row 1: at 161, 170, 200 (the horizon counts, 201 does not); row 0: 599, not 601
    assert growth(cascades, rows, 60.0, 100.0).tolist() == pytest.approx(np.log2(1 + np.array(further)))


def test_origins_never_reach_the_test():
    assert origins(1574) == [(629, 787), (787, 944), (944, 1101), (1101, 1259), (1259, 1416)]
    assert origins(10) == [(4, 5), (5, 6), (6, 7), (7, 8), (8, 9)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("sizes"), simulate(400, seed=9)[0])


def test_the_keys_are_those_of_the_contract(folder, capsys):
    assert (
        main(["evaluate", "cascade-size", "--data", str(folder), "--after", "30m", "--at", "12h", "--seed", "3"]) == 0
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"msle", "msle_constant", "pcc", "coverage90", "coverage90_rolling", "ratio", "interval"} <= set(found)
    assert list(found)[-4:] == ["seed", "seconds", "peak_mb", "n"]
    assert found["seed"] == 3
    assert found["ratio"] == pytest.approx(found["msle"] / found["msle_constant"])
    assert len(found["coverage90_rolling"]["origins"]) == 5
    assert found["coverage90_rolling"]["pooled"] == pytest.approx(
        np.mean(found["coverage90_rolling"]["origins"]), abs=0.02
    )
    assert sum(found["cascades"].values()) == len(usable(from_folder(folder), 1_800.0, 43_200.0))
    for name, (low, high) in found["interval"].items():
        assert low <= found[name] <= high
    assert found["msle"] < found["msle_constant"]


def test_the_constant_is_the_mean_of_what_was_learned_from(folder):
    found = evaluate_sizes(folder, 1_800.0, 43_200.0)
    cascades = from_folder(folder)
    y = growth(cascades, usable(cascades, 1_800.0, 43_200.0), 1_800.0, 43_200.0)
    learned = int(0.9 * len(y))
    assert found["msle_constant"] == pytest.approx(np.mean((y[learned:] - y[:learned].mean()) ** 2))
    again = evaluate_sizes(folder, 1_800.0, 43_200.0)
    assert {name: again[name] for name in ("msle", "pcc", "interval")} == {
        name: found[name] for name in ("msle", "pcc", "interval")
    }


def test_what_is_learned_does_not_depend_on_the_newest_tenth(folder, tmp_path):
    # The test's outcomes, after its windows, are taken away: everything measured before them stays as it was.
    cascades = from_folder(folder)
    rows = usable(cascades, 1_800.0, 43_200.0)
    newest = rows[int(0.9 * len(rows)) :]
    gone = np.isin(cascades.cascade_of, newest) & (cascades.seconds > 1_800.0)
    late = cascades.start_s[cascades.cascade_of] + cascades.seconds == cascades.end_s
    kept = ~gone | late
    lines = []
    for row in range(len(cascades)):
        place = [event for event in cascades.events_of(np.array([row])) if kept[event]]
        lines.append("".join(f"{cascades.user[e]} {cascades.start_s[row] + cascades.seconds[e]:.0f}," for e in place))
    (tmp_path / "cascades.txt").write_text("\n".join(lines) + "\n")
    first, second = (evaluate_sizes(path, 1_800.0, 43_200.0) for path in (folder, tmp_path))
    assert first["cascades"] == second["cascades"]
    assert first["coverage90_rolling"] == second["coverage90_rolling"]
    assert second["pcc"] != second["pcc"]  # nothing follows any more: no variance, no correlation


def test_bad_input_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "cascades.txt").write_text(TEN)
    ask = ["evaluate", "cascade-size", "--data", str(tmp_path)]
    for text, problem in (
        (TEN, "cascades.txt: line 1: 0 cascades with 5 events in the window and a whole horizon; at least 150"),
        (TEN.replace("3 702", "3 x"), "cascades.txt: line 5: a user or a time is not a number"),
    ):
        (tmp_path / "cascades.txt").write_text(text)
        assert main(ask) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert problem in said[0]
    assert main([*ask, "--after", "2h", "--at", "1h"]) == 2
    with pytest.raises(SystemExit) as refused:
        main([*ask, "--after", "soon"])
    assert refused.value.code == 2
    (tmp_path / "cascades.txt").unlink()
    with pytest.raises(DataError):
        evaluate_sizes(tmp_path, 60.0, 100.0)


@pytest.mark.long
def test_the_bars_on_public_data():
    folder = PUBLIC_DATA / "twitter_cascades"
    if not folder.is_dir():
        pytest.skip(f"no public data in {PUBLIC_DATA}")
    found = evaluate_sizes(folder, 3_600.0, 86_400.0)
    assert found["cascades"] == {"train": 1_259, "choose": 157, "test": 158}
    assert found["msle_constant"] == pytest.approx(5.63, abs=0.1)  # 5.63 in the data's README
    assert found["ratio"] < 0.32
    assert 0.85 <= found["coverage90"] <= 0.95
    assert 0.88 <= found["coverage90_rolling"]["pooled"] <= 0.92
