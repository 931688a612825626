"""Pictures are PNGs that are drawn from what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from kith.picture import draw_reliability


def test_a_reliability_picture_is_a_png(tmp_path: Path) -> None:
    file = tmp_path / "reliability.png"
    bins = [{"predicted": p, "observed": p / 2, "count": 40} for p in (0.0, 0.1, 0.4)]
    draw_reliability(bins, "a $ in the title", file)
    assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        draw_reliability([{"predicted": 0.1, "observed": 0.1, "count": 9}], "t", tmp_path / "absent" / "r.png")
