"""The picture of a plan as numbers for an SVG: spread against money, or against seeds where they cost nothing."""

from __future__ import annotations

from typing import Any, Final

from api.console import words

LEFT: Final = 56
RIGHT: Final = 620
TOP: Final = 12
BOTTOM: Final = 270
LINES: Final = (
    ("random", "at random"),
    ("topPagerank", "highest PageRank"),
    ("topDegree", "most ties"),
    ("spread", "this plan"),
)
"""Keys of a point of the curve, the one on top last, and what people read."""
PARTS: Final = (0.0, 0.5, 1.0)
SMALL: Final = 10.0
"""Largest spread that is told with digits after the point."""


def drawn(plan: dict[str, Any]) -> dict[str, Any]:
    """Return `lines` (`name`, `label`, `path`), `rows` (y, text) and `columns` (x, text) of the picture."""
    curve, axis = plan["curve"], "seeds" if plan["costMinor"] is None else "costMinor"
    right = max(point[axis] for point in curve) or 1.0
    top = max(point[name] for point in curve for name, _ in LINES) or 1.0

    def x(value: float) -> float:
        return round(LEFT + value / right * (RIGHT - LEFT), 1)

    def y(value: float) -> float:
        return round(BOTTOM - value / top * (BOTTOM - TOP), 1)

    def path(name: str) -> str:
        return "M" + "L".join(f"{x(point[axis])} {y(point[name])}" for point in curve)

    def told(value: float) -> str:
        return words.count(value) if axis == "seeds" else words.amount(value, plan["currency"])

    shown = words.number if top < SMALL else words.count
    return {
        "lines": [{"name": name, "label": label, "path": path(name)} for name, label in LINES],
        "rows": [(y(part * top), shown(part * top)) for part in PARTS],
        "columns": [(x(part * right), told(part * right)) for part in PARTS],
        "left": LEFT,
        "right": RIGHT,
        "bottom": BOTTOM,
    }
