"""The shapes of users, items and friendships: what they may hold, prices in minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from graph.event_shapes import Problem
from graph.settings import CONSENT_PURPOSES
from graph.values import (
    INT64_MAX,
    MAX_ATTRIBUTES,
    attribute_problem,
    currency_exponent,
    currency_problem,
    id_problem,
    integer_problem,
    number_problem,
    text_problem,
    time_ms,
)


@dataclass(frozen=True, slots=True)
class Entity:
    """A user or an item ready to be written."""

    id: str
    properties: dict[str, Any]
    created_ms: int | None
    consent: list[str] | None
    """Users: the purposes stated, None where none were."""


Friend = tuple[str, str, int | None, float | None]
"""userId, friendId, since in ms, strength."""

TEXTS = ("kind", "title", "description", "category", "brand")


def purposes_problem(value: object) -> str | None:
    """Say why the value cannot be a consent, None if it can."""
    if not isinstance(value, list) or any(purpose not in CONSENT_PURPOSES for purpose in value):
        return f"must be a list of {', '.join(CONSENT_PURPOSES)}"
    return None


def price_minor(price: object, currency: str) -> int:
    """Return a price in major units as minor units of the currency.

    Raises:
        ValueError: it is no price, or has more decimals than the currency.
    """
    if isinstance(price, bool) or not isinstance(price, int | float | str):
        raise ValueError("must be a number")
    try:
        exact = Decimal(str(price)).scaleb(currency_exponent(currency))
        minor = int(exact) if exact.is_finite() else -1
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError("must be a number") from None
    if not 0 <= minor <= INT64_MAX:
        raise ValueError("must be a finite number, 0 or more")
    if minor != exact:
        raise ValueError(f"has more decimals than {currency} has")
    return minor


def user_entity(given: Mapping[str, Any]) -> tuple[Entity, list[Problem]]:
    """Return the user and what is wrong with it (then it is not to be used)."""
    problems: list[Problem] = []
    consent = given.get("consent")
    if consent is not None:
        if problem := purposes_problem(consent):
            problems.append(("/consent", problem))
        else:
            consent = [purpose for purpose in CONSENT_PURPOSES if purpose in consent]
    return _entity(given, "userId", ("consent",), consent, {}, problems=problems)


def item_entity(given: Mapping[str, Any]) -> tuple[Entity, list[Problem]]:
    """Return the item and what is wrong with it (then it is not to be used)."""
    problems: list[Problem] = []
    known: dict[str, Any] = {}
    problems += [
        (f"/{name}", problem)
        for name in TEXTS
        if given.get(name) is not None and (problem := text_problem(given[name]))
    ]
    _judge_price(given, known, problems)
    if (tags := given.get("tags")) is not None:
        if not isinstance(tags, list) or any(text_problem(tag, limit=256) for tag in tags):
            problems.append(("/tags", "must be a list of strings"))
        else:
            known["tags"] = tags
    return _entity(given, "itemId", ("price", "priceMinor", "currency", "tags"), None, known, problems=problems)


def _judge_price(given: Mapping[str, Any], known: dict[str, Any], problems: list[Problem]) -> None:
    price, minor, currency = given.get("price"), given.get("priceMinor"), given.get("currency")
    if currency is not None:
        if problem := currency_problem(currency):
            problems.append(("/currency", problem))
            return
        known["currency"] = currency
    if price is not None and minor is not None:
        problems.append(("/price", "and priceMinor must not both be there"))
    elif minor is not None:
        if problem := integer_problem(minor, minimum=0):
            problems.append(("/priceMinor", problem))
        known["priceMinor"] = minor
    elif price is not None and currency is None:
        problems.append(("/currency", "is needed to read the price"))
    elif price is not None:
        try:
            known["priceMinor"] = price_minor(price, str(currency))
        except ValueError as error:
            problems.append(("/price", str(error)))


def _entity(
    given: Mapping[str, Any],
    key: str,
    handled: tuple[str, ...],
    consent: list[str] | None,
    known: dict[str, Any],
    *,
    problems: list[Problem],
) -> tuple[Entity, list[Problem]]:
    if problem := id_problem(given.get(key, "")):
        problems.append((f"/{key}", problem))
    created_ms: int | None = None
    if given.get("createdAt") is not None:
        try:
            created_ms = time_ms(given["createdAt"])
        except (ValueError, OverflowError):
            problems.append(("/createdAt", "must be an ISO 8601 time"))
    free = {name: value for name, value in given.items() if name not in (key, "createdAt", *handled)}
    if len(free) > MAX_ATTRIBUTES:
        problems.append(("", f"must have at most {MAX_ATTRIBUTES} attributes"))
    problems += [
        (f"/{name[:64].encode('ascii', 'replace').decode()}", problem)
        for name, value in free.items()
        if (problem := attribute_problem(name, value))
    ]
    return Entity(given.get(key, ""), {**free, **known}, created_ms, consent), problems


def friend_entity(given: Mapping[str, Any]) -> tuple[Friend, list[Problem]]:
    """Return the friendship and what is wrong with it (then it is not to be used)."""
    keys = ("userId", "friendId")
    problems: list[Problem] = [(f"/{key}", problem) for key in keys if (problem := id_problem(given.get(key, "")))]
    if not problems and given["userId"] == given["friendId"]:
        problems.append(("/friendId", "must be another user"))
    since_ms: int | None = None
    if given.get("since") is not None:
        try:
            since_ms = time_ms(given["since"])
        except (ValueError, OverflowError):
            problems.append(("/since", "must be an ISO 8601 time"))
    strength = given.get("strength")
    if strength is not None and (problem := number_problem(strength, minimum=0, maximum=1e6)):
        problems.append(("/strength", problem))
    problems += [
        (f"/{str(name)[:64].encode('ascii', 'replace').decode()}", "is no field of a friendship")
        for name in given
        if name not in ("userId", "friendId", "since", "strength")
    ]
    usable = None if strength is None or problems else float(strength)
    return (given.get("userId", ""), given.get("friendId", ""), since_ms, usable), problems
