"""Values as people read them."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

from graph.values import currency_exponent

NONE = "–"


def count(value: float | None) -> str:
    """Return a whole number with its thousands apart: 12 345."""
    return NONE if value is None else f"{round(value):,}".replace(",", "\u202f")


def number(value: float | None) -> str:
    """Return a number with two digits after the point."""
    return NONE if value is None else f"{value:.2f}"


def money(root: dict[str, object]) -> str:
    """Return the revenue of a cascade, every currency of it: 12.50 EUR + 300 JPY."""
    currencies, amounts = root.get("revenueCurrencies"), root.get("revenueAmounts")
    if not isinstance(currencies, list) or not isinstance(amounts, list) or not currencies:
        return "0"
    return " + ".join(
        f"{Decimal(amount).scaleb(-currency_exponent(currency)):,} {currency}".replace(",", "\u202f")
        for currency, amount in zip(currencies, amounts, strict=True)
    )


def amount(minor: float | None, currency: str | None) -> str:
    """Return minor units as people write them: 12.50 EUR."""
    if minor is None or currency is None:
        return NONE
    return f"{Decimal(round(minor)).scaleb(-currency_exponent(currency)):,} {currency}".replace(",", "\u202f")


def moment(text: str | None) -> str:
    """Return a time to the minute: 2026-11-22 14:05 UTC."""
    return NONE if text is None else f"{text[:10]} {text[11:16]} UTC"


def quoted(address: str) -> str:
    """Return an address of ours as the value of a query parameter."""
    return quote(address, safe="/")
