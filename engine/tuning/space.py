"""What may be tuned, within which bounds, and the file that hands it on. Loads no torch.

Ridge and form of the item-item model, the half-life of an act's weight, the steps that are kept and the weights of the
blend are not here: every training chooses them on its own cut, in closed form or by a climb, for every version anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifact.folder import read_json
from engine.errors import DataError

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choices:
    """One of a few values, in their order."""

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """Return a value, all alike."""
        return self.values[int(rng.integers(len(self.values)))]

    def near(self, value: Any, rng: np.random.Generator) -> Any:
        """Return a neighbour of the value."""
        place = self.values.index(value) + (1 if rng.random() < 0.5 else -1)
        return self.values[min(max(place, 0), len(self.values) - 1)]

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value."""
        if any(type(value) is type(each) and value == each for each in self.values):
            return None
        return f"is none of {', '.join(map(str, self.values))}"


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two bounds."""

    low: float
    high: float
    is_log: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        """Return a number, uniform (in its logarithm where `is_log`), of three digits."""
        low, high = (np.log(self.low), np.log(self.high)) if self.is_log else (self.low, self.high)
        return self._rounded(rng.uniform(low, high))

    def near(self, value: float, rng: np.random.Generator) -> float:
        """Return a number about a tenth of the range away."""
        low, high = (np.log(self.low), np.log(self.high)) if self.is_log else (self.low, self.high)
        at = np.log(value) if self.is_log else value
        return self._rounded(float(np.clip(at + rng.normal(0.0, (high - low) / 10), low, high)))

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value."""
        if type(value) not in (int, float) or not self.low <= value <= self.high:
            return f"is no number from {self.low:g} to {self.high:g}"
        return None

    def _rounded(self, value: float) -> float:
        plain = float(np.exp(value)) if self.is_log else value
        return float(np.clip(float(f"{plain:.3g}"), self.low, self.high))


SPACE: Mapping[str, Choices | Range] = {
    "width": Choices((16, 32, 64, 96, 128)),
    "layers": Choices((1, 2, 3)),
    "hardness": Choices((0.0, 0.1, 0.25, 0.5)),
    "temperature": Range(0.05, 0.5, is_log=True),
    "learning_rate": Range(0.003, 0.06, is_log=True),
    "steps": Choices((60, 120, 240, 480, 960)),
    "epochs": Choices((20, 60, 200)),
    "batch_users": Choices((128, 256, 512, 1024)),
    "id_dropout": Range(0.0, 0.5),
    "with_social": Choices((False, True)),
    "rivals": Choices((2048, 8192, 32768)),
}
"""Settings of the encoder by the names of `engine.interest.training.EncoderSettings`."""
LARGE_SHOPS_ONLY = frozenset(("rivals",))
"""They change nothing where the softmax runs over all items."""
CHANGED = 2
"""Settings that differ between a trial and its neighbour."""


def draw(rng: np.random.Generator, names: tuple[str, ...]) -> Settings:
    """Return settings drawn at random."""
    return {name: SPACE[name].draw(rng) for name in names}


def neighbour(best: Settings, rng: np.random.Generator) -> Settings:
    """Return settings that differ from the best in at most two places."""
    chosen = rng.choice(sorted(best), min(CHANGED, len(best)), replace=False)
    return {**best, **{str(name): SPACE[str(name)].near(best[str(name)], rng) for name in chosen}}


def checked(settings: Any, where: str) -> Settings:
    """Return settings of the encoder after checking every name and value.

    Raises:
        DataError: an unknown name or a value out of its bounds; the message names it.
    """
    if not isinstance(settings, dict):
        raise DataError(f"{where}: `encoder` is no object of settings")
    for name, value in settings.items():
        if name not in SPACE:
            raise DataError(f"{where}: no setting {str(name)[:64]!r}; those are {', '.join(SPACE)}")
        if problem := SPACE[name].problem(value):
            raise DataError(f"{where}: {name} {str(value)[:64]} {problem}")
    return dict(settings)


def read_settings(path: Path) -> Settings:
    """Return the settings of a file that `kith tune` wrote, or one by hand: `{"encoder": {"width": 96}}`.

    Raises:
        ArtifactError: there is no such file, or it is not JSON.
        DataError: it names no settings, or bad ones.
    """
    content = read_json(path)
    if not isinstance(content, dict) or "encoder" not in content:
        raise DataError(f'{path}: settings look like {{"encoder": {{"width": 64}}}}')
    return checked(content["encoder"], str(path))
