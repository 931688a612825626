"""Pictures for people, as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graph.values import currency_exponent

LINES = (("spread", "this plan", "-", "#1f5f8f"), ("topDegree", "most ties", "--", "#b4490a"),
         ("topPagerank", "highest PageRank", ":", "#1c6b3f"), ("random", "at random", "-.", "#566270"))  # fmt: skip


def draw_plan(plan: dict[str, Any], file: Path) -> None:
    """Draw a plan's spread against its budget, beside what simpler choices reach, and write it as PNG.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    is_priced = plan["costMinor"] is not None
    scale = 10.0 ** -currency_exponent(plan["currency"]) if is_priced else 1.0
    across = [point["costMinor" if is_priced else "seeds"] * scale for point in plan["curve"]]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = FigureCanvasAgg(figure).figure.add_subplot()
    for name, label, style, colour in LINES:
        axes.plot(across, [point[name] for point in plan["curve"]], style, color=colour, label=label, linewidth=2)
    axes.set_xlabel(plan["currency"] if is_priced else "seeds")
    axes.set_ylabel("users reached")
    axes.set_title(f"{plan['itemId'] or plan['category']}, model {plan['modelVersion']}", parse_math=False)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(file, format="png", dpi=120)
