"""What may be an id, a text, a number, a time or an attribute in the graph; each check answers a reason or None."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final

MAX_ID_CHARS: Final = 256
MAX_TEXT_CHARS: Final = 16_384
MAX_LIST_VALUES: Final = 1_000
MAX_ATTRIBUTES: Final = 64
INT64_MAX: Final = 2**63 - 1
MAX_VALUE_MINOR: Final = 10**12
"""What one purchase or refund may be worth: nine million of them still add up within 64 bits."""
MAX_AGE: Final = 150
FIRST_TIME_MS: Final = -62_135_596_800_000
LAST_TIME_MS: Final = 253_402_300_799_999

ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
RESERVED_NAMES = frozenset(
    {
        "userId", "itemId", "shareId", "eventId", "consent", "stub", "ix", "ingestedAt", "firstIngestedAt",
        "tags", "build", "createdAt", "priceMinor", "currency", "price", "count", "firstAt", "lastAt",
        "modelVersion", "occurredAt", "locked", "isNew",
    }
)  # fmt: skip
"""Names with a meaning of their own; a free attribute may not take them."""
RESERVED_PREFIXES = (
    "embedding", "influence", "recommended", "similarItems", "similarScores", "influences", "build_", "kith", "_",
)  # fmt: skip
"""Beginnings of the names that publication writes."""

CURRENCY_EXPONENTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
         "XOF", "XPF"), 0
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip
"""ISO 4217: decimals of the currencies that do not have two."""

CURRENCY = re.compile(r"[A-Z]{3}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def currency_exponent(currency: str) -> int:
    """Return how many decimals the currency's minor unit has (ISO 4217)."""
    return CURRENCY_EXPONENTS.get(currency, 2)


def text_problem(value: object, *, limit: int = MAX_TEXT_CHARS) -> str | None:
    """Say why the value cannot be stored as a text of at most `limit` characters, None if it can."""
    if not isinstance(value, str):
        return "must be a string"
    if len(value) > limit:
        return f"must have at most {limit} characters"
    if "\0" in value:
        return "must not hold NUL"
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        return "must not hold a lone surrogate"
    return None


def id_problem(value: object) -> str | None:
    """Say why the value cannot be an id, None if it can."""
    if value == "":
        return "must not be empty"
    return text_problem(value, limit=MAX_ID_CHARS)


def integer_problem(value: object, *, minimum: int = -INT64_MAX - 1, maximum: int = INT64_MAX) -> str | None:
    """Say why the value cannot be a whole number of the range (64 bits if none is given), None if it can."""
    if isinstance(value, bool) or not isinstance(value, int):
        return "must be an integer"
    if not minimum <= value <= maximum:
        return f"must be between {minimum} and {maximum}"
    return None


def number_problem(value: object, *, minimum: float, maximum: float) -> str | None:
    """Say why the value cannot be a finite number of the range, None if it can."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if not minimum <= value <= maximum:  # false for nan too
        return f"must be between {minimum:g} and {maximum:g}"
    return None


def currency_problem(value: object) -> str | None:
    """Say why the value cannot be a currency code, None if it can."""
    return None if isinstance(value, str) and CURRENCY.fullmatch(value) else "must be an ISO 4217 code such as EUR"


def is_reserved(name: str) -> bool:
    """Whether Kith uses the property name itself: no attribute may take it, and no answer shows it as one."""
    return name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES)


def age_problem(value: object) -> str | None:
    """Say why the value cannot be the age from which an item may be shown, None if it can."""
    return integer_problem(value, minimum=0, maximum=MAX_AGE)


def date_problem(value: object) -> str | None:
    """Say why the value cannot be a date, None if it can."""
    wrong = "must be a date such as 1990-05-17"
    if not isinstance(value, str) or not DATE.fullmatch(value):
        return wrong
    try:
        date.fromisoformat(value)
    except ValueError:
        return wrong
    return None


MEANINGS: Final[Mapping[str, Callable[[object], str | None]]] = {"minAge": age_problem, "birthDate": date_problem}
"""Attributes that lists go by."""


def attribute_problem(name: str, value: object) -> str | None:
    """Say why the free attribute cannot be stored, None if it can (None itself removes an attribute)."""
    if not ATTRIBUTE_NAME.fullmatch(name):
        return "is not a name of letters, digits and _ (at most 64, a letter first)"
    if is_reserved(name):
        return "is a name that Kith uses itself"
    if value is not None and (judge := MEANINGS.get(name)) is not None:
        return judge(value)
    if not isinstance(value, list):
        return None if value is None else scalar_problem(value)
    return list_problem(value)


def list_problem(value: list[object]) -> str | None:
    """Say why the list cannot be a property, None if it can."""
    if len(value) > MAX_LIST_VALUES:
        return f"must hold at most {MAX_LIST_VALUES} values"
    if len({type(one) for one in value}) > 1:
        return "must hold values of one type"
    return next((problem for one in value if (problem := scalar_problem(one))), None)


def scalar_problem(value: object) -> str | None:
    """Say why the value cannot be a property by itself, None if it can."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, int):
        return integer_problem(value)
    if isinstance(value, float):
        return None if math.isfinite(value) else "must be finite"
    return "must be a string, a number, a boolean or a list of one of them"


def time_ms(value: object) -> int:
    """Return a time as milliseconds since 1970-01-01 UTC; a time without a zone is UTC.

    Args:
        value: an ISO 8601 text (with date and time, or a date alone) or a datetime.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError("must be an ISO 8601 time")
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return math.floor(value.timestamp() * 1000 + 0.0005)


def time_text(ms: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_ms() -> int:
    """Return the time by this machine's clock."""
    return int(time.time() * 1000)


def plain_number(value: float) -> float:
    """Return a whole float as an int, so that 4 and 4.0 are the same body."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
