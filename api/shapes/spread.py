"""The spread report: what it answers, and its query parameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.shapes.parts import Answer, Identifier, Query, ShortText, Time
from graph.spread import LONGEST_MATURITY_S, MATURITY_S, MOST_GROUPS, By


class SpreadQuery(Query):
    """Parameters of the spread report."""

    by: By = "day"
    since: Time | None = None
    until: Time | None = None
    item_id: Identifier | None = None
    campaign_id: Identifier | None = None
    channel: ShortText | None = None
    maturity_s: Annotated[int, Field(ge=1, le=LONGEST_MATURITY_S)] = MATURITY_S
    limit: Annotated[int, Field(ge=1, le=MOST_GROUPS)] = MOST_GROUPS


class SpreadGroup(Answer):
    """How the shares of one item, channel, campaign or day spread (docs/cascades.md).

    `key` is null where the shares name no channel or campaign. A rate is null where there is nothing to divide by.
    """

    key: str | None
    shares: int
    roots: int
    reshares: int
    sharers: int
    new_sharers: int
    opens: int
    conversions: int
    completed_parents: int
    censored_parents: int
    timed_reshares: int
    k_factor: float | None
    reproduction_number: float | None
    cycle_time_s: float | None
    amplification: float | None
    conversion_rate: float | None


class Spread(Answer):
    """Days newest first, other groups those with most shares first; `truncated` when only the newest shares count."""

    by: By
    since: str
    until: str
    maturity_s: int
    groups: list[SpreadGroup]
    group_count: int
    truncated: bool
