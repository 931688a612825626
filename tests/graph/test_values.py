"""What may be an id, a text, a number, a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from graph import values


@pytest.mark.parametrize("good", ["a", "ü" * 256, "u:1/2 3", "𝔘"])
def test_ids(good: str) -> None:
    assert values.id_problem(good) is None


@pytest.mark.parametrize("bad", ["", "a" * 257, "\ud800", "a\0", 5, None, ["a"], True])
def test_no_ids(bad: Any) -> None:
    assert values.id_problem(bad)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01 00:00:00.0015", 1),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2026-06-01T12:00:00.123456Z", 1_780_315_200_123),
    ],
)
def test_times_are_milliseconds_utc(text: str, ms: int) -> None:
    assert values.time_ms(text) == ms


def test_datetimes_with_and_without_zone() -> None:
    assert values.time_ms(datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)) == 2_000
    assert values.time_ms(datetime(1970, 1, 1, 2, 0, 0, tzinfo=timezone(timedelta(hours=2)))) == 0
    assert values.time_ms(datetime(1970, 1, 1, 0, 0, 3)) == 3_000


@pytest.mark.parametrize("bad", ["soon", "", 5, None, "2026-13-01"])
def test_no_times(bad: Any) -> None:
    with pytest.raises(ValueError):
        values.time_ms(bad)


def test_numbers() -> None:
    assert values.integer_problem(2**63 - 1) is None
    assert values.integer_problem(2**63)
    assert values.integer_problem(True)
    assert values.integer_problem(1.0)
    assert values.number_problem(5, minimum=0, maximum=5) is None
    assert values.number_problem(float("nan"), minimum=0, maximum=5)
    assert values.number_problem("4", minimum=0, maximum=5)
    assert (values.plain_number(4.0), values.plain_number(4.5)) == (4, 4.5)
    assert isinstance(values.plain_number(4.0), int)


@pytest.mark.parametrize(("currency", "exponent"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("USD", 2)])
def test_exponents_of_currencies(currency: str, exponent: int) -> None:
    assert values.currency_exponent(currency) == exponent


@pytest.mark.parametrize("bad", ["eur", "EURO", "", 5, None])
def test_no_currencies(bad: Any) -> None:
    assert values.currency_problem(bad)


@pytest.mark.parametrize(
    "name",
    [
        "embedding",
        "embedding_a",
        "influenceScore",
        "recommendedItems_b",
        "ix",
        "consent",
        "locked",
        "_x",
        "1a",
        "a b",
        "",
        "ä",
    ],
)
def test_names_that_attributes_may_not_have(name: str) -> None:
    assert values.attribute_problem(name, 1)


@pytest.mark.parametrize("value", [None, "x", 1, 1.5, True, ["a", "b"], [1, 2], []])
def test_values_that_attributes_may_have(value: Any) -> None:
    assert values.attribute_problem("city", value) is None


@pytest.mark.parametrize("value", [{}, [[1]], [1, "a"], float("inf"), 2**63, "\udfff", [None], ["a"] * 1_001, b"x"])
def test_values_that_attributes_may_not_have(value: Any) -> None:
    assert values.attribute_problem("city", value)


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("minAge", 18, True),
        ("minAge", None, True),
        ("minAge", "18", False),
        ("minAge", -1, False),
        ("minAge", True, False),
        ("birthDate", "1990-05-17", True),
        ("birthDate", "1990-02-30", False),
        ("birthDate", "19900517", False),
        ("birthDate", 1990, False),
        ("birthDate", ["1990-05-17"], False),
    ],
)
def test_attributes_that_lists_go_by_mean_one_thing(name: str, value: Any, good: bool) -> None:
    assert (values.attribute_problem(name, value) is None) == good
