"""The OpenAPI 3.1 document and its page: every address with every problem it may answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
from apiflask import APIBlueprint
from flask import Flask, Response, current_app

from api.bodies import OPTIONAL_BODY
from api.errors import MEDIA_TYPE
from api.keyring import SCOPE_ATTRIBUTE, scope
from api.shapes.parts import ATTRIBUTE_SCHEMA

CONFIG: dict[str, Any] = {
    "OPENAPI_VERSION": "3.1.0",
    "AUTO_SERVERS": False,
    "AUTO_OPERATION_ID": True,
    "AUTO_404_RESPONSE": False,
    "AUTO_VALIDATION_ERROR_RESPONSE": False,
    "AUTO_AUTH_ERROR_RESPONSE": False,
    "DESCRIPTION": "Recommendations, influence and share targets for social commerce, over a graph in Neo4j.",
    "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "SECURITY_SCHEMES": {"key": {"type": "http", "scheme": "bearer", "description": "A key from `kith keys create`."}},
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "requestId"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
ALWAYS = {"405": "Method not allowed", "429": "Too many requests", "500": "An error on our side", "503": "Try later"}
WITH_KEY = {"401": "No key, or none that is good", "403": "The key lacks the scope"}
WITH_PATH = {"404": "Not found"}
WITH_BODY = {
    "400": "The body is not strict JSON",
    "409": "It contradicts what is there",
    "413": "The body is too large",
    "415": "The body is not application/json",
}
WITH_INPUT = {"422": "The input breaks the schema"}
WITH_CURSOR = {"409": "The cursor belongs to another version or question"}
RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
VERBS = ("get", "post", "put", "delete")

docs = APIBlueprint("openapi", __name__, enable_openapi=False)


@docs.get("/openapi.json")
@scope("public")
def document() -> Response:
    """Return the OpenAPI document."""
    content = current_app.extensions.get("kith.openapi")
    if content is None:
        content = orjson.dumps(current_app.spec)  # type: ignore[attr-defined]
        current_app.extensions["kith.openapi"] = content
    return Response(content, mimetype="application/json")


@docs.get("/docs")
@scope("public")
def page() -> Response:
    """Return the page that shows the document; nothing on it comes from elsewhere."""
    text = (Path(__file__).parent / "docs.html").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
    return Response(text, mimetype="text/html", headers={"Content-Security-Policy": policy})


def register(app: Flask) -> None:
    """Add the document and its page to the application."""
    app.register_blueprint(docs)
    app.spec_processor(complete)  # type: ignore[attr-defined]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what the generator does not know: scopes and problems of every operation."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    schemas["AttributeValue"] = ATTRIBUTE_SCHEMA
    for rule in current_app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        view = current_app.view_functions[rule.endpoint]
        for verb in VERBS:
            operation = document["paths"].get(path, {}).get(verb)
            if operation is not None and verb.upper() in (rule.methods or ()):
                _complete_operation(operation, verb, getattr(view, SCOPE_ATTRIBUTE, "public"))
                if getattr(view, OPTIONAL_BODY, False):
                    operation["requestBody"]["required"] = False
    return document


def _complete_operation(operation: dict[str, Any], verb: str, needed: str) -> None:
    problems = dict(ALWAYS)
    if verb == "put" and "200" in operation["responses"]:
        operation["responses"]["201"] = {**operation["responses"]["200"], "description": "Created"}
    places = {each["in"] for each in operation.get("parameters", ())}
    if needed != "public":
        operation["security"] = [{"key": []}]
        operation["description"] = f"{operation.get('description', '')}\n\nScope: `{needed}`.".strip()
        problems |= WITH_KEY
    if "path" in places:
        problems |= WITH_PATH | WITH_INPUT
    if "query" in places:
        problems |= WITH_INPUT
    if any(each["name"] == "cursor" for each in operation.get("parameters", ())):
        problems |= WITH_CURSOR
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
        problems |= WITH_BODY | WITH_INPUT
    for status, text in sorted(problems.items()):
        response = {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        if status in ("429", "503"):
            response["headers"] = RETRY
        operation["responses"].setdefault(status, response)
