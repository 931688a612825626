"""docs/metrics.md names every metric and no other."""

from __future__ import annotations

import re
from pathlib import Path

from api import metrics, metrics_state

DOCUMENT = Path(__file__).parents[2] / "docs/metrics.md"
ROW = re.compile(r"^\| `(kith_\w+)` \| (counter|histogram|gauge) \|", re.MULTILINE)


def test_the_table_names_exactly_the_metrics_that_exist() -> None:
    documented = [name.removesuffix("_total") for name, _ in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))]
    assert sorted(documented) == sorted({**metrics.ABOUT, **metrics_state.ABOUT})


def test_every_metric_that_is_spoken_of_exists() -> None:
    spoken_of = set(re.findall(r"kith_[a-z0-9_]+", DOCUMENT.read_text(encoding="utf-8")))
    assert {name.removesuffix("_total") for name in spoken_of} == {*metrics.ABOUT, *metrics_state.ABOUT}
