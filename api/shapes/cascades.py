"""Cascades: what the reads answer, and their query parameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.shapes.answers import MOST_ROWS
from api.shapes.parts import Answer, Identifier, Query


class CascadesQuery(Query):
    """Parameters of the list of cascades."""

    active: bool = True
    item_id: Identifier | None = None
    campaign_id: Identifier | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 20
    cursor: Annotated[str, Field(max_length=2048)] | None = None


class CascadeQuery(Query):
    """Parameters of one cascade."""

    limit: Annotated[int, Field(ge=1, le=1_000)] = 1_000


class StreamQuery(Query):
    """Parameters of a cascade's stream: `lastEventId` for callers that cannot set the header."""

    last_event_id: Annotated[str, Field(max_length=64)] | None = None


class CascadeNumbers(Answer):
    """The numbers of a cascade (docs/cascades.md); null until the root share has been counted, a second at most."""

    share_id: str
    item_id: str
    item_title: str | None
    channel: str | None
    platform: str | None
    campaign_id: str | None
    occurred_at: str | None
    last_activity_at: str | None
    cascade_size: int | None
    cascade_depth: int | None
    cascade_width: int | None
    structural_virality: float | None
    unique_users: int | None
    opens: int | None
    conversions: int | None
    revenue_minor: int | None
    revenue_currencies: list[str] | None
    revenue_amounts: list[int] | None
    growth: float | None
    recent_shares: float
    forecast_size: float | None
    forecast_low: float | None
    forecast_high: float | None
    forecast_at: str | None
    unusual: list[str]


class Cascades(Answer):
    """One page of cascades, those first in which most was shared lately."""

    cascades: list[CascadeNumbers]
    cursor: str | None


class ShareInTree(Answer):
    """A share and who made it: `userId` is null where the user did not agree to analytics."""

    share_id: str
    parent_share_id: str | None
    depth: int
    occurred_at: str | None
    channel: str | None
    user_id: str | None
    subtree_size: int | None
    opens: int


class CascadeForecast(Answer):
    """Shares that a cascade was expected to have a day after `at`; nine of ten end from `low` to `high`."""

    at: str
    size: int
    low: int
    high: int


class Cascade(CascadeNumbers):
    """A cascade with its forecasts so far and its shares, level by level; `truncated` when there are more shares."""

    level_sizes: list[int] | None
    forecasts: list[CascadeForecast]
    shares: list[ShareInTree]
    truncated: bool
