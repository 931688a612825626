"""Types that several models share: ids, times, money, attributes; what each may hold is said in `graph.values`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from graph.event_shapes import act_attribute_problem
from graph.values import INT64_MAX, MAX_ATTRIBUTES, MAX_ID_CHARS, MAX_TEXT_CHARS, MAX_VALUE_MINOR, id_problem, time_ms


class Strict(BaseModel):
    """A body: camelCase, nothing unknown, no guessing between types."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, strict=True)


class Query(BaseModel):
    """Query parameters: camelCase, nothing unknown, numbers parsed from text."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Answer(BaseModel):
    """Output: camelCase; documents what a view returns."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


def _id(text: str) -> str:
    if problem := id_problem(text):
        raise ValueError(problem)
    return text


def _time(value: object) -> object:
    try:
        time_ms(value)
    except (ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time") from None
    return value


def _attributes(values: object) -> object:
    if not isinstance(values, dict) or len(values) > MAX_ATTRIBUTES:
        raise ValueError(f"must be an object of at most {MAX_ATTRIBUTES} attributes")
    for name, value in values.items():
        if problem := act_attribute_problem(name, value):
            raise ValueError(f"{name} {problem}")
    return values


ATTRIBUTE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
    ]
}

Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS), AfterValidator(_id)]
Time = Annotated[str, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
Money = Annotated[int, Field(ge=0, le=INT64_MAX)]
PaidMoney = Annotated[int, Field(ge=0, le=MAX_VALUE_MINOR)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
ShortText = Annotated[str, Field(max_length=64)]
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
Rating = Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]
Strength = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Attributes = Annotated[
    dict[str, Any],
    BeforeValidator(_attributes),
    WithJsonSchema({"type": "object", "maxProperties": MAX_ATTRIBUTES, "additionalProperties": ATTRIBUTE_SCHEMA}),
]
Purpose = Literal["personalisation", "sharing", "analytics"]
