"""Pictures for people, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.values import currency_exponent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = (("spread", "this plan", "-", "#1f5f8f"), ("topDegree", "most ties", "--", "#b4490a"),
         ("topPagerank", "highest PageRank", ":", "#1c6b3f"), ("random", "at random", "-.", "#566270"))  # fmt: skip


def draw_plan(plan: dict[str, Any], file: Path) -> None:
    """Draw a plan's spread against its budget, beside what simpler choices reach, and write it as PNG.

    Raises:
        OSError: the file cannot be written.
    """
    is_priced = plan["costMinor"] is not None
    scale = 10.0 ** -currency_exponent(plan["currency"]) if is_priced else 1.0
    across = [point["costMinor" if is_priced else "seeds"] * scale for point in plan["curve"]]
    figure, axes = _empty(8, 5, f"{plan['itemId'] or plan['category']}, model {plan['modelVersion']}")
    for name, label, style, colour in LINES:
        axes.plot(across, [point[name] for point in plan["curve"]], style, color=colour, label=label, linewidth=2)
    axes.set_xlabel(plan["currency"] if is_priced else "seeds")
    axes.set_ylabel("users reached")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    _write(figure, file)


def draw_reliability(bins: Sequence[Mapping[str, float]], title: str, file: Path) -> None:
    """Draw what was observed against what was predicted, by bin, with two standard errors, and write it as PNG.

    Args:
        bins: `predicted`, `observed` and `count` of each.
        title: above the picture.
        file: where to.

    Raises:
        OSError: the file cannot be written.
    """
    predicted, observed = ([each[name] for each in bins] for name in ("predicted", "observed"))
    error = [2.0 * (each["observed"] * (1.0 - each["observed"]) / each["count"]) ** 0.5 for each in bins]
    figure, axes = _empty(6, 6, title)
    end = 1.1 * max(*predicted, *(low + more for low, more in zip(observed, error, strict=True)), 1e-6)
    axes.plot([0, end], [0, end], ":", color="#566270", label="as predicted")
    axes.errorbar(predicted, observed, yerr=error, fmt="o-", color="#1f5f8f", capsize=3, label="observed")
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("share that acted")
    axes.set_xlim(0, end)
    axes.set_ylim(0, end)
    _write(figure, file)


def _empty(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """Return a picture of so many inches with a title and a grid."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = FigureCanvasAgg(figure).figure.add_subplot()
    axes.set_title(title, parse_math=False)
    axes.grid(alpha=0.3)
    return figure, axes


def _write(figure: Figure, file: Path) -> None:
    for axes in figure.axes:
        axes.legend(frameon=False)
    figure.savefig(file, format="png", dpi=120)
