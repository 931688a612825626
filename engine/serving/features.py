"""Attributes of users and items as numbers: standardised numbers, embedded texts, hashed categories and words.

The recipe is learned once on a snapshot and stored with the model, so that a node that comes later is described in
the same columns (the hashing trick of Weinberger et al., 2009: no vocabulary to keep, no unknown values).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.serving import text

RESERVED = re.compile(
    r"^(userId|itemId|createdAt|consent|stub|stock|available|modelVersion|build|ix|embedding.*|influence.*|.*_[ab]"
    r"|.*[aA]t|.*AtS|publication.*|currency|eventId|url|image.*|email|phone|.*[nN]ame)$"
)
"""Columns that are not attributes: ids, times, state, contact data, and what Kith itself wrote."""
TEXT_COLUMNS = ("title", "description", "tags")
MAX_CATEGORIES = 2000
MAX_WORDS = 40
_WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class FeatureRecipe:
    """How attributes become a row of numbers."""

    numbers: dict[str, tuple[float, float, bool]] = field(default_factory=dict)
    """Per numeric column: mean, standard deviation, whether the logarithm is taken first."""
    categories: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    buckets: int = 0
    """Hash buckets that categories and words share."""
    text_model: str = ""
    """What embeds the texts beside their hashed words; empty: nothing."""

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return len(self.numbers) + self.text_width + self.buckets

    @property
    def text_width(self) -> int:
        """Numbers of a text's vector, which follow those of the numeric columns."""
        return text.WIDTH if self.text_model else 0

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FeatureRecipe:
        """Rebuild a recipe from `to_json`."""
        numbers = {name: (float(m), float(s), bool(log)) for name, (m, s, log) in value["numbers"].items()}
        return cls(
            numbers, tuple(value["categories"]), tuple(value["texts"]), int(value["buckets"]), value["text_model"]
        )


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Sparse rows of features."""

    indptr: NDArray[np.int64]
    """(N + 1,)"""
    indices: NDArray[np.int32]
    """(E,) column of each value."""
    values: NDArray[np.float32]
    """(E,)"""
    width: int

    def project(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, D) = rows @ weights (width, D)."""
        out = np.zeros((len(self.indptr) - 1, weights.shape[1]), dtype=np.float32)
        row = np.repeat(np.arange(len(out)), np.diff(self.indptr))
        np.add.at(out, row, weights[self.indices] * self.values[:, None])
        return out


def learn_recipe(columns: Mapping[str, NDArray[Any]], max_buckets: int = 2048) -> FeatureRecipe:
    """Choose columns and scales from attributes, each (N,).

    A text column outside TEXT_COLUMNS counts as a category unless nearly every row has its own value. Texts are
    embedded where the text model is installed.
    """
    numbers: dict[str, tuple[float, float, bool]] = {}
    categories: list[str] = []
    distinct = 0
    for name in sorted(columns):
        column = columns[name]
        if RESERVED.match(name) or name in TEXT_COLUMNS or not len(column):
            continue
        if column.dtype.kind in "biuf":
            learned = _learn_number(column)
            if learned:
                numbers[name] = learned
        elif column.dtype == object:
            values = {text for text in map(_text, column) if text}
            if 0 < len(values) <= max(min(MAX_CATEGORIES, len(column) // 2), 1):
                categories.append(name)
                distinct += len(values)
    texts = tuple(name for name in TEXT_COLUMNS if name in columns and any(map(_text, columns[name])))
    if not categories and not texts:
        return FeatureRecipe(numbers)
    wanted = max(distinct * 4, 1024 if texts else 32)
    embedded = text.NAME if texts and text.text_model() is not None else ""
    return FeatureRecipe(numbers, tuple(categories), texts, min(max_buckets, 1 << (wanted - 1).bit_length()), embedded)


def feature_rows(recipe: FeatureRecipe, columns: Mapping[str, Any], count: int) -> FeatureRows:
    """Describe `count` nodes; a column that is missing, or a value that is, adds nothing.

    Args:
        recipe: from `learn_recipe`.
        columns: each (count,) values.
        count: number of nodes.

    Raises:
        DataError: the recipe embeds texts and its text model is not installed.
    """
    row: list[NDArray[np.int64]] = []
    place: list[NDArray[np.int64]] = []
    value: list[NDArray[np.float64]] = []
    for position, (name, (mean, deviation, is_log)) in enumerate(recipe.numbers.items()):
        if name in columns:
            number = _number(columns[name], is_log)
            known = np.flatnonzero(np.isfinite(number))
            row.append(known)
            place.append(np.full(len(known), position))
            value.append(np.clip((number[known] - mean) / deviation, -3.0, 3.0))
    if recipe.text_model:
        rows, places, weights = _embedded(recipe, columns)
        row.append(rows)
        place.append(places + len(recipe.numbers))
        value.append(weights)
    for name in (*recipe.categories, *recipe.texts):
        if name in columns:
            rows, buckets, weights = _hashed(name, columns[name], recipe.buckets, name in recipe.texts)
            row.append(rows)
            place.append(buckets + len(recipe.numbers) + recipe.text_width)
            value.append(weights)
    return _rows(row, place, value, count, recipe.width)


def _learn_number(column: NDArray[Any]) -> tuple[float, float, bool] | None:
    number = _number(column, is_log=False)
    known = number[np.isfinite(number)]
    if len(known) < 2 or known.min() == known.max():
        return None
    is_log = bool(known.min() >= 0 and known.max() > 20 * max(float(np.median(known)), 1.0)) or known.max() > 1000
    if is_log and known.min() >= 0:
        known = np.log1p(known)
        return float(known.mean()), float(known.std()) or 1.0, True
    return float(known.mean()), float(known.std()) or 1.0, False


def _number(column: Any, is_log: bool) -> NDArray[np.float64]:
    number = np.asarray(column)
    number = np.array([_as_float(v) for v in number]) if number.dtype == object else number.astype(np.float64)
    return np.log1p(np.maximum(number, 0.0)) if is_log else number


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (list, tuple, np.ndarray)):
        return " ".join(str(part) for part in value)
    return str(value).strip()


def needs(recipe: FeatureRecipe) -> str:
    """Return what has to be installed for `feature_rows` and is not; empty: nothing."""
    return recipe.text_model if recipe.text_model and _model_of(recipe) is None else ""


def _model_of(recipe: FeatureRecipe) -> text.TextModel | None:
    return text.text_model() if recipe.text_model == text.NAME else None


def _embedded(
    recipe: FeatureRecipe, columns: Mapping[str, Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return row, dimension and value of the vectors of all text columns together, rows without a text left out."""
    model = _model_of(recipe)
    if model is None:
        raise DataError(f"the model describes texts by {recipe.text_model}, which is not installed here")
    given = [columns[name] for name in recipe.texts if name in columns]
    joined = [" ".join(filter(None, map(_text, values))) for values in zip(*given, strict=True)] if given else []
    told = np.array([index for index, each in enumerate(joined) if each], dtype=np.int64)
    vectors = model.embed([joined[index] for index in told])
    row, place = np.repeat(told, text.WIDTH), np.tile(np.arange(text.WIDTH), len(told))
    return row, place, vectors.ravel().astype(np.float64)


def _hashed(
    name: str,
    column: Any,
    buckets: int,
    is_text: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return row, bucket and weight of every token; a text's words share a weight of length one."""
    rows: list[int] = []
    places: list[int] = []
    weights: list[float] = []
    for index, value in enumerate(column):
        text = _text(value).lower()
        tokens = sorted(set(_WORD.findall(text)))[:MAX_WORDS] if is_text else [text] * bool(text)
        for token in tokens:
            rows.append(index)
            places.append(zlib.crc32(f"{'' if is_text else name}={token}".encode()) % buckets)
            weights.append(len(tokens) ** -0.5)
    return np.array(rows, dtype=np.int64), np.array(places, dtype=np.int64), np.array(weights)


def _rows(
    row: list[NDArray[np.int64]],
    place: list[NDArray[np.int64]],
    value: list[NDArray[np.float64]],
    count: int,
    width: int,
) -> FeatureRows:
    if not row:
        return FeatureRows(np.zeros(count + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), width)
    rows, places, values = np.concatenate(row), np.concatenate(place), np.concatenate(value)
    order = np.lexsort((places, rows))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int64)
    return FeatureRows(indptr, places[order].astype(np.int32), values[order].astype(np.float32), width)
