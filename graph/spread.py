"""How shares spread: one report by item, channel, campaign or day.

The numbers are those of branching processes, as epidemiology and marketing use them; `docs/cascades.md` says what each
means and where it comes from. A report holds sums and means over shares, never the id of a user.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from graph.connection import Graph
from graph.errors import InputError
from graph.values import time_text

By = Literal["item", "channel", "campaign", "day"]
"""What the shares of a report are grouped by."""

DAY_MS: Final = 86_400_000
WINDOW_DAYS: Final = 30
LONGEST_WINDOW_DAYS: Final = 366
MOST_SCANNED: Final = 200_000
"""Shares that one report looks at, the newest of its window."""
MOST_GROUPS: Final = 366
"""Groups that one report tells: a year of days."""
MATURITY_S: Final = 72 * 3_600
"""Age at which a share's reshares have come, as far as the reproduction number is concerned."""
LONGEST_MATURITY_S: Final = LONGEST_WINDOW_DAYS * 86_400
TIMEOUT_S: Final = 30.0
"""200,000 shares took 5 s on two busy cores, and thrice that with a cold server: more than other reads are given."""

Row = dict[str, Any]


def report(
    graph: Graph,
    *,
    by: By,
    now_ms: int,
    since_ms: int | None = None,
    until_ms: int | None = None,
    item_id: str | None = None,
    campaign_id: str | None = None,
    channel: str | None = None,
    maturity_s: int = MATURITY_S,
    limit: int = MOST_GROUPS,
    scanned: int = MOST_SCANNED,
) -> Row:
    """Return how the shares of a window spread: days newest first, other groups those with most shares first.

    Args:
        graph: where from.
        by: one group per item, channel, campaign or day (UTC) of the shares; a key of None: the share names none.
        now_ms: the present.
        since_ms: start of the window; default: `WINDOW_DAYS` before its end.
        until_ms: end of the window, excluded; default: now.
        item_id: only shares of this item.
        campaign_id: only shares of this campaign.
        channel: only shares in this channel.
        maturity_s: shares at least this old are completed parents.
        limit: at most so many groups; `groupCount` says how many there are.
        scanned: at most so many shares of the window, the newest; `truncated` says whether there are more.

    Raises:
        InputError: the window, `by`, `maturity_s` or `limit` is out of bounds.
        UnavailableError: no answer within `TIMEOUT_S`.
    """
    until = now_ms if until_ms is None else until_ms
    since = until - WINDOW_DAYS * DAY_MS if since_ms is None else since_ms
    _check(by=by, now_ms=now_ms, since_ms=since, until_ms=until, maturity_s=maturity_s, limit=limit)
    (found,) = graph.read(
        "spread.report",
        timeout_s=TIMEOUT_S,
        by=by,
        sinceMs=since,
        untilMs=until,
        completedMs=now_ms - maturity_s * 1000,
        itemId=item_id,
        campaignId=campaign_id,
        channel=channel,
        scanned=scanned,
        limit=limit,
    )
    return {
        "by": by,
        "since": time_text(since),
        "until": time_text(until),
        "maturityS": maturity_s,
        "groups": [_with_rates(group) for group in found["groups"]],
        "groupCount": found["groupCount"],
        "truncated": found["truncated"],
    }


def _with_rates(group: Row) -> Row:
    return {
        **group,
        "kFactor": _ratio(group["newSharers"], group["sharers"]),
        "conversionRate": _ratio(group["conversions"], group["opens"]),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _check(*, by: str, now_ms: int, since_ms: int, until_ms: int, maturity_s: int, limit: int) -> None:
    """Raise an `InputError` that names every bound that is broken."""
    longest_ms = LONGEST_WINDOW_DAYS * DAY_MS
    bounds = (
        ("by", by in get_args(By), f"must be one of {', '.join(get_args(By))}"),
        ("since", since_ms >= 0, "must not be before 1970"),
        ("since", since_ms < until_ms, "must be before until"),
        ("since", until_ms - since_ms <= longest_ms, f"must be at most {LONGEST_WINDOW_DAYS} days before until"),
        ("until", until_ms - now_ms <= longest_ms, f"must be at most {LONGEST_WINDOW_DAYS} days from now"),
        ("maturityS", 1 <= maturity_s <= LONGEST_MATURITY_S, f"must be 1 to {LONGEST_MATURITY_S}"),
        ("limit", 1 <= limit <= MOST_GROUPS, f"must be 1 to {MOST_GROUPS}"),
    )
    broken = [(name, detail) for name, is_kept, detail in bounds if not is_kept]
    if broken:
        errors = [{"pointer": f"/{name}", "detail": detail} for name, detail in broken]
        raise InputError("; ".join(f"{name} {detail}" for name, detail in broken), errors)
