"""Answers: JSON by orjson, and the checks of ids that come in paths."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from api.errors import problem
from graph.entities import Upserted
from graph.errors import InputError
from graph.values import id_problem


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return `content` as a JSON response."""
    return Response(orjson.dumps(content), status=status, mimetype="application/json", headers=headers)


def answer_json(body: bytes) -> Response:
    """Return what is JSON already as a response."""
    return Response(body, mimetype="application/json")


def nothing() -> Response:
    """Return the answer that has no content."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def checked_id(text: str, name: str) -> str:
    """Return an id that came in a path.

    Raises:
        InputError: it is none.
    """
    if problem := id_problem(text):
        raise InputError(f"{name} {problem}", [{"pointer": f"/{name}", "detail": problem}])
    return text


def upserted_many(written: Upserted) -> Response:
    """Return what became of a batch: 422 when nothing of it was written."""
    content = {
        "created": written.created,
        "updated": written.updated,
        "rejected": [{"index": each.index, "problem": each.problem} for each in written.rejected],
    }
    if written.created or written.updated:
        return answer(content)
    return problem(422, "nothing was written", **content)


def upserted_one(written: Upserted) -> Response:
    """Return what became of a single entity: 201 when it is new.

    Raises:
        InputError: it was refused; with every reason.
    """
    if written.rejected:
        refusal = written.rejected[0].problem
        raise InputError(refusal["detail"], refusal["errors"])
    return answer(
        {"created": written.created, "updated": written.updated, "rejected": []}, 201 if written.created else 200
    )


def jsonable(value: Any) -> Any:
    """Return what came from the graph as JSON has it: times as ISO 8601 texts."""
    if isinstance(value, dict):
        return {key: jsonable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [jsonable(each) for each in value]
    return value.iso_format() if hasattr(value, "iso_format") else value
