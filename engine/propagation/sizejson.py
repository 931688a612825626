"""A size model as text, and back; what comes back is checked as if a stranger had written it."""

from __future__ import annotations

import json
from typing import Any, get_args

import numpy as np

from engine.errors import ArtifactError
from engine.propagation.kernelridge import MAX_LANDMARKS, Float, Regression
from engine.propagation.signals import NAMES
from engine.propagation.size import Since, SizeModel
from engine.propagation.usual import Usual
from engine.propagation.window import FEW, Errors, Window

FORMAT = 1
MAX_BYTES = 4_000_000
MAX_WINDOWS = 16
_MAX_GRID = 100
_COLUMNS = ("shift", "scale", "low", "high")
_ERRORS = ("forecast", "low", "high", "alarm")
_USUAL = ("burst", "deviation", "users")


def to_json(model: SizeModel) -> str:
    """Return the model as one JSON object; `from_json` gives the same model, bit for bit."""
    usual = {name: value if np.isfinite(value) else None for name in _USUAL for value in (getattr(model.usual, name),)}
    return json.dumps(
        {
            "format": FORMAT,
            "signals": NAMES,
            "spanS": model.span_s,
            "since": model.since,
            "usual": usual,
            "windows": [_window_object(window) for window in model.windows],
        },
        allow_nan=False,
        separators=(",", ":"),
    )


def from_json(text: str) -> SizeModel:
    """Return the model.

    Raises:
        ArtifactError: the text is too long, no JSON, of another format, or a number is missing or not finite.
    """
    if len(text) > MAX_BYTES:
        raise ArtifactError(f"a size model has at most {MAX_BYTES:,} characters")
    try:
        found = json.loads(text)
        if found["format"] != FORMAT or found["signals"] != list(NAMES) or found["since"] not in get_args(Since):
            raise ArtifactError("the size model is of another format")
        if not 1 <= len(found["windows"]) <= MAX_WINDOWS:
            raise ArtifactError(f"a size model has 1 to {MAX_WINDOWS} windows")
        windows = tuple(_window(entry) for entry in found["windows"])
        usual = Usual(*(_threshold(found["usual"], name) for name in _USUAL))
        span_s = _number(found["spanS"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ArtifactError(f"the size model is malformed: {type(error).__name__}: {str(error)[:80]}") from None
    ages = [window.age_s for window in windows]
    if span_s <= 0 or ages[0] <= 0 or (np.diff(ages) <= 0).any():
        raise ArtifactError("the size model's span and ages are positive, and ages ascend")
    return SizeModel(span_s, found["since"], windows, usual)


def _window_object(window: Window) -> dict[str, Any]:
    fitted = window.regression
    return {
        "ageS": window.age_s,
        "rows": window.rows,
        "few": window.few.tolist(),
        "errors": {name: getattr(window.errors, name).tolist() for name in _ERRORS},
        "regression": {
            **{name: getattr(fitted, name).tolist() for name in _COLUMNS},
            "landmark": fitted.landmark.tolist(),
            "coefficient": fitted.coefficient.tolist(),
            "mean": fitted.mean,
            "width": fitted.width,
        },
    }


def _window(entry: dict[str, Any]) -> Window:
    part, table = entry["regression"], entry["errors"]
    landmarks, grid = len(part["coefficient"]), len(table["forecast"])
    if not (landmarks <= MAX_LANDMARKS and 1 <= grid <= _MAX_GRID):
        raise ArtifactError("a table of the size model is too long")
    regression = Regression(
        *(_array(part[name], (len(NAMES),)) for name in _COLUMNS),
        landmark=_array(part["landmark"], (landmarks, len(NAMES))),
        coefficient=_array(part["coefficient"], (landmarks,)),
        mean=_number(part["mean"]),
        width=_number(part["width"]),
    )
    errors = Errors(*(_array(table[name], (grid,)) for name in _ERRORS))
    if (regression.scale <= 0).any() or regression.width <= 0 or (np.diff(errors.forecast) <= 0).any():
        raise ArtifactError("a scale of the size model is not positive, or its table does not ascend")
    return Window(
        _number(entry["ageS"]), regression, errors, _array(entry["few"], (FEW - 1, 4)), int(_number(entry["rows"]))
    )


def _array(values: Any, shape: tuple[int, ...]) -> Float:
    found = np.array(values, np.float64)
    if found.shape != shape or not np.isfinite(found).all():
        raise ArtifactError(f"a table of the size model is not of shape {shape}, or not finite")
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ArtifactError("a number of the size model is not finite")
    return float(value)


def _threshold(usual: dict[str, Any], name: str) -> float:
    """Return a threshold; one that could not be learned (null) is never crossed."""
    if usual[name] is None:
        return np.inf if name == "burst" else -np.inf
    return _number(usual[name])
