"""The rules of input tables: raw tables in, typed columns out, bad rows set aside with file, line and reason."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportReturnType=false, reportCallIssue=false, reportIndexIssue=false
# pandas has no stubs of its own; its inferred types are unions of everything a frame may give.

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from graph.entity_shapes import price_minor
from graph.errors import InputError
from graph.event_shapes import FUTURE_S, INTERACTIONS, act_attribute_problem
from graph.raw_tables import ROW, TIMES, BadRow, RawTable
from graph.settings import CONSENT_PURPOSES
from graph.values import INT64_MAX, MAX_VALUE_MINOR, attribute_problem, currency_problem, id_problem, text_problem

IDS: Final = ("userId", "itemId", "friendId", "shareId", "eventId", "parentShareId", "recipientId", "rootShareId")
OPTIONAL_IDS: Final = ("shareId", "eventId", "parentShareId", "recipientId", "rootShareId")
TEXTS: Final = ("kind", "title", "description", "category", "brand", "channel", "platform", "recommendationId")
KNOWN: Final = (*IDS, *TIMES, *TEXTS, "campaignId", "type", "price", "priceMinor", "currency", "valueMinor", "rating",
                "strength", "consent", "tags", ROW)  # fmt: skip
KEYS: Final = {"users": ("userId",), "items": ("itemId",), "interactions": ("eventId",), "opens": ("eventId",)}
"""Columns whose value may stand for one row only."""


class Rules:
    """One table while it is judged; `frame` shrinks to the good rows and its columns become typed."""

    def __init__(self, table: RawTable, now_s: float) -> None:
        self.name = table.name
        self.file = table.file
        self.frame = table.frame
        self.bad: list[BadRow] = list(table.bad)
        self._now_s = now_s

    def judge(self) -> pd.DataFrame:
        """Return the good rows: ids str, times int64 ms (`Int64`, missing `<NA>`), numbers typed, None where missing.

        Raises:
            InputError: a column has a name that Kith uses itself.
        """
        self._refuse_reserved_columns()
        for name in self.frame.columns.intersection(IDS, sort=False):
            self._ids(name, is_needed=name not in OPTIONAL_IDS or (self.name == "opens" and name == "shareId"))
        for name in self.frame.columns.intersection(TIMES, sort=False):
            self._times(name)
        self._texts()
        self._numbers()
        if self.name in ("friends", "follows"):
            self.drop(self.frame["userId"] == self.frame["friendId"], "is a tie of a user to the same user")
        if "type" in self.frame and self.name == "interactions":
            self._types()
        if self.name == "users" and "consent" in self.frame:
            self._consents()
        if self.name == "items":
            self._prices()
        for name in self.extras():
            self._attribute(name)
        self._refuse_disagreement()
        return self.frame

    def extras(self) -> list[str]:
        """Return the columns that become free attributes."""
        own = {"users": ("rating", "valueMinor"), "items": ("rating", "strength")}.get(self.name, ())
        return [name for name in self.frame if name not in KNOWN or name in own]

    def drop(self, mask: Any, reason: str | Callable[[int], str]) -> None:
        """Set the rows aside where `mask` (N,) bool is true; `reason` may depend on the position."""
        chosen = np.asarray(mask, dtype=bool)
        if not chosen.any():
            return
        rows = self.frame[ROW].to_numpy()
        for at in np.flatnonzero(chosen):
            self.bad.append((self.file, int(rows[at]), reason if isinstance(reason, str) else reason(int(at))))
        self.frame = self.frame[~chosen].reset_index(drop=True)

    def _drop_by_problem(self, name: str, problems: Iterable[str | None]) -> None:
        found = {at: problem for at, problem in enumerate(problems) if problem}
        mask = np.zeros(len(self.frame), dtype=bool)
        mask[list(found)] = True
        self.drop(mask, lambda at: f"{name} {found[at]}")

    def _refuse_reserved_columns(self) -> None:
        judge = act_attribute_problem if self.name in ("interactions", "shares", "opens") else attribute_problem
        for name in self.extras():
            if problem := judge(name, None):
                raise InputError(f"{self.file}, line 1, column {name[:64]!r} {problem}")

    def _ids(self, name: str, *, is_needed: bool) -> None:
        values = [str(value) if isinstance(value, int) else value for value in self.frame[name]]
        self.frame[name] = pd.Series(values, dtype=object)
        missing = "is missing" if is_needed else None
        texts = {value: id_problem(value) for value in {value for value in values if isinstance(value, str)}}
        if set(map(type, values)) <= {str} and not any(texts.values()):
            return  # the usual column: millions of rows are not walked through
        self._drop_by_problem(
            name,
            (
                texts[value] if isinstance(value, str) else missing if value is None else id_problem(value)
                for value in values
            ),
        )

    def _times(self, name: str) -> None:
        given = self.frame[name]
        parsed = pd.to_datetime(given, utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
        self.frame[name] = _milliseconds(parsed)
        self.drop(given.notna().to_numpy() & parsed.isna().to_numpy(), f"{name} is not an ISO 8601 time")
        late = (self.frame[name] > (self._now_s + FUTURE_S) * 1000).fillna(False)
        self.drop(late, f"{name} lies in the future")

    def _texts(self) -> None:
        for name in self.frame.columns.intersection([*TEXTS, "campaignId"], sort=False):
            values = self.frame[name]
            self._drop_by_problem(name, (None if value is None else text_problem(value) for value in values))

    def _numbers(self) -> None:
        limits = {"strength": (0.0, 1e6), "rating": (0.0, 5.0), "valueMinor": (0, MAX_VALUE_MINOR)}
        for name, (low, high) in limits.items():
            if name not in self.frame or name in self.extras():
                continue
            given = self.frame[name]
            parsed = pd.to_numeric(given, errors="coerce").astype("Float64")
            wrong = given.notna().to_numpy() & ~parsed.between(low, high).fillna(False).to_numpy(bool)
            if name == "valueMinor":
                wrong |= (parsed % 1 != 0).fillna(False).to_numpy(bool)
            whole = name == "valueMinor"
            self.frame[name] = pd.Series(
                [None if value is pd.NA else int(value) if whole else float(value) for value in parsed], dtype=object
            )
            self.drop(wrong, f"{name} is not a {'whole ' if whole else ''}number from {low:g} to {high:g}")
        if "currency" in self.frame:
            values = self.frame["currency"]
            self._drop_by_problem("currency", (None if v is None else currency_problem(v) for v in values))

    def _types(self) -> None:
        allowed = {"view", *INTERACTIONS}
        self.drop(~self.frame["type"].isin(allowed), f"type is none of {', '.join(sorted(allowed))}")
        nothing = pd.Series(None, index=self.frame.index, dtype=object)
        rated = self.frame.get("rating", nothing).isna()
        self.drop((self.frame["type"] == "rate") & rated, "rating is missing")
        if "valueMinor" in self.frame:
            currency = self.frame.get("currency", pd.Series(None, index=self.frame.index, dtype=object))
            self.drop(self.frame["valueMinor"].notna() & currency.isna(), "valueMinor has no currency")

    def _consents(self) -> None:
        parsed = [_purposes(value) for value in self.frame["consent"]]
        self.frame["consent"] = pd.Series(parsed, dtype=object)
        self.drop([value is False for value in parsed], f"consent holds none of {', '.join(CONSENT_PURPOSES)}")

    def _prices(self) -> None:
        columns = [self.frame[name] if name in self.frame else [None] * len(self.frame)
                   for name in ("price", "priceMinor", "currency")]  # fmt: skip
        minors: list[int | None] = []
        problems: list[str | None] = []
        for price, minor, currency in zip(*columns, strict=True):
            value, problem = _price(price, minor, currency)
            minors.append(value)
            problems.append(problem)
        if "price" in self.frame or "priceMinor" in self.frame:
            self.frame["priceMinor"] = pd.Series(minors, dtype=object)
            self._drop_by_problem("price", problems)
        if "tags" in self.frame:
            tags = [v.split("|") if isinstance(v, str) else v and list(v) for v in self.frame["tags"]]
            self.frame["tags"] = pd.Series([v if v is None else tuple(v) for v in tags], dtype=object)
            self._drop_by_problem("tags", (attribute_problem("x", v) if v else None for v in tags))

    def _attribute(self, name: str) -> None:
        values = inferred(list(self.frame[name]))
        self.frame[name] = pd.Series(values, dtype=object)
        listed = (list(value) if isinstance(value, tuple) else value for value in values)
        self._drop_by_problem(name, (attribute_problem(name, value) for value in listed))

    def _refuse_disagreement(self) -> None:
        """Of rows with one key keep the first; a later one that says something else is bad."""
        if self.name in ("friends", "follows"):
            ends = self.frame[["userId", "friendId"]].to_numpy()
            pairs = [tuple(sorted(pair)) if self.name == "friends" else tuple(pair) for pair in ends]
            self._keep_first(pairs, [name for name in ("since", "strength") if name in self.frame], "this tie")
        elif self.name == "shares" and "shareId" in self.frame:
            others = [name for name in self.frame if name not in (ROW, "recipientId")]
            self._keep_first(list(self.frame["shareId"]), others, "this shareId", keep_agreeing=True)
        elif self.name in KEYS and KEYS[self.name][0] in self.frame:
            key = KEYS[self.name][0]
            others = [name for name in self.frame if name not in (ROW, key)]
            self._keep_first(list(self.frame[key]), others, f"this {key}")

    def _keep_first(self, keys: list[Any], others: list[str], what: str, *, keep_agreeing: bool = False) -> None:
        columns = [self.frame[name].astype(object).where(self.frame[name].notna(), None) for name in others]
        said = list(zip(*columns, strict=True)) if columns else [()] * len(keys)
        first: dict[Any, tuple[Any, ...]] = {}
        again = np.zeros(len(keys), dtype=bool)
        disagrees = np.zeros(len(keys), dtype=bool)
        for at, key in enumerate(keys):
            if key is None:
                continue
            known = first.setdefault(key, said[at])
            if known is not said[at]:
                disagrees[at] = known != said[at]
                again[at] = not disagrees[at] and not keep_agreeing
        gone = again[~disagrees]
        self.drop(disagrees, f"an earlier row with {what} says something else")
        self.frame = self.frame[~gone].reset_index(drop=True)


@dataclass(slots=True)
class Judged:
    """The good rows of a folder's tables, by the table's name."""

    frames: dict[str, pd.DataFrame]
    extras: dict[str, list[str]]
    """Columns that become free attributes."""
    files: dict[str, str]
    bad: list[BadRow]

    def refuse_unknown(self, unknown: set[str]) -> None:
        """Set ties aside that name one of these users."""
        for name in ("friends", "follows"):
            if (frame := self.frames.get(name)) is not None:
                wrong = frame["userId"].isin(unknown) | frame["friendId"].isin(unknown)
                self.bad += [(self.files[name], int(row), "names an unknown user") for row in frame[ROW][wrong]]
                self.frames[name] = frame[~wrong].reset_index(drop=True)


def judged(tables: Sequence[RawTable], now_s: float) -> Judged:
    """Judge every table; times after `now_s` and a little are bad.

    Raises:
        InputError: a column has a name that Kith uses itself.
    """
    rules = [Rules(table, now_s) for table in tables]
    return Judged(
        {one.name: one.judge() for one in rules},
        {one.name: one.extras() for one in rules},
        {one.name: one.file for one in rules},
        [bad for one in rules for bad in one.bad],
    )


def _milliseconds(parsed: pd.Series) -> pd.Series:
    known = parsed.notna().to_numpy()
    ms = pd.Series(pd.NA, index=parsed.index, dtype="Int64")
    ms[known] = parsed[known].to_numpy(dtype="datetime64[us]").astype(np.int64) // 1000
    return ms


def _purposes(value: Any) -> list[str] | bool | None:
    """Return the purposes in their order, None where nothing is said, False where it cannot be read."""
    if value is None:
        return None
    named = value if isinstance(value, tuple) else str(value).replace(";", "|").replace(",", "|").split("|")
    said = [str(one).strip() for one in named]
    if said == ["all"]:
        return list(CONSENT_PURPOSES)
    if said in (["none"], []):
        return []
    return [p for p in CONSENT_PURPOSES if p in said] if set(said) <= set(CONSENT_PURPOSES) else False


def _price(price: Any, minor: Any, currency: Any) -> tuple[int | None, str | None]:
    if price is not None and minor is not None:
        return None, "and priceMinor are both there"
    if minor is not None:
        try:
            whole = float(minor)
            value = int(minor) if whole == int(whole) else -1
        except (ValueError, OverflowError):
            value = -1
        return value, None if 0 <= value <= INT64_MAX else "priceMinor is not a whole number from 0"
    if price is None:
        return None, None
    if currency is None:
        return None, "has no currency"
    try:
        return price_minor(price, str(currency)), None
    except ValueError as error:
        return None, str(error)


def inferred(values: list[Any]) -> list[Any]:
    """Return a text column as integers, floats or booleans where every value is one, else as it is."""
    given = [value for value in values if value is not None]
    if not given or not all(isinstance(value, str) for value in given):
        return values
    if all(value in ("true", "false", "True", "False") for value in given):
        return [None if value is None else value in ("true", "True") for value in values]
    if any(value.lstrip("-")[:1] == "0" and value.lstrip("-")[1:2].isdigit() for value in given):
        return values  # a leading zero belongs to a code, not to a number
    if any("_" in value or value != value.strip() for value in given):
        return values  # Python would read 1_000 as a number
    for kind in (int, float):
        try:
            return [None if value is None else kind(value) for value in values]
        except ValueError:
            continue
    return values
