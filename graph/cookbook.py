"""The analysts' cookbook: one question per file in `graph/analytics/`, as Neo4j Browser reads them.

A file is a header of comments and one query. The first line is the title (Browser takes it as the favourite's name);
then what it answers, `param NAME: meaning` for each parameter, `columns: a, b`, and where they apply `draws: columns`
whose values Browser draws and `scans: Label (why)` for labels that no index can narrow.

Browser stops a query whose `$parameter` is not set, and draws nothing for a script of several statements, so neither
`$name` nor a leading `:param` would run as pasted. The defaults are therefore literals in the query's first line
(`WITH 30 AS days`), to be edited there; `graph.cypher_text` puts parameters in their place for everybody else.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graph.connection import Graph, Row
from graph.cypher_text import ANALYTICS, DEFAULTS, analytics_text
from graph.errors import InputError, NotFoundError

PREFIX = "analytics."
FAVOURITES = "Kith"
STYLE = "style.grass"
LITERALS = {"null": None, "true": True, "false": False}
NAMED_BY = ("userId", "itemId", "shareId", "name", "campaignId", "modelVersion")
LONGEST_ANSWER = 10_000
"""Rows. The longest answer, five users in each of a thousand categories, has half as many; one of your own may not."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that the question depends on."""

    name: str
    default: str | int | float | bool | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Question:
    """One file of the cookbook."""

    name: str
    title: str
    answers: str
    parameters: tuple[Parameter, ...]
    columns: tuple[str, ...]
    draws: tuple[str, ...]
    """Columns whose nodes and relationships Neo4j Browser draws; empty for a table."""
    scans: tuple[str, ...]
    """Labels that the query reads as a whole because no index can serve it."""
    text: str
    """The file, as it is pasted into Neo4j Browser."""


def names() -> list[str]:
    """Return the names of the questions, sorted."""
    return sorted(path.stem for path in ANALYTICS.glob("*.cypher"))


@cache
def question(name: str) -> Question:
    """Read one question.

    Raises:
        NotFoundError: there is no such question.
        ValueError: the file's header and query do not fit together; the message says how.
    """
    if name not in names():
        raise NotFoundError(f"no question {name}; there are {', '.join(names())}")
    text = analytics_text(name)
    header, fields = _header(text)
    meanings = dict(_pair(name, value) for value in fields.get("param", []))
    first = DEFAULTS.search(text)
    defaults = dict(_defaults(first["defaults"])) if first else {}
    if list(meanings) != list(defaults):
        raise ValueError(f"{name}.cypher: says parameters {list(meanings)}, its first line has {list(defaults)}")
    if len(header) < 2 or not fields.get("columns"):
        raise ValueError(f"{name}.cypher: needs a title, what it answers, and its columns")
    return Question(
        name=name,
        title=header[0],
        answers=" ".join(header[1:]),
        parameters=tuple(Parameter(one, defaults[one], meaning) for one, meaning in meanings.items()),
        columns=_listed(fields["columns"][0]),
        draws=_listed(fields.get("draws", [""])[0]),
        scans=tuple(value.split(" (")[0] for value in fields.get("scans", [])),
        text=text,
    )


def run(graph: Graph, name: str, given: Mapping[str, str], *, timeout_s: float | None = None) -> list[Row]:
    """Ask a question in a read transaction.

    Args:
        graph: whom to ask.
        name: which question.
        given: parameters as texts; a default's type decides what they are read as, and `null` is no value.
        timeout_s: None: `KITH_READ_TIMEOUT_S`.

    Raises:
        NotFoundError: there is no such question.
        InputError: there is no such parameter, or the value is not of its type.
        UnavailableError: no answer in time.
    """
    asked = question(name)
    unknown = sorted(set(given) - {parameter.name for parameter in asked.parameters})
    if unknown:
        known = ", ".join(parameter.name for parameter in asked.parameters) or "none"
        raise InputError(f"{name} has no parameter {', '.join(unknown)}; it has {known}")
    values = {
        parameter.name: _typed(parameter, given[parameter.name]) if parameter.name in given else parameter.default
        for parameter in asked.parameters
    }
    rows = graph.read(PREFIX + name, timeout_s=timeout_s, **values)[:LONGEST_ANSWER]
    return [{column: plain(value) for column, value in row.items()} for row in rows]


def export(folder: Path) -> list[Path]:
    """Write what is dropped on Neo4j Browser: the questions as one archive of favourites, and the style.

    Browser takes one file at a time; a folder in the archive becomes a folder of favourites.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive, style = folder / "kith-cookbook.zip", folder / "kith-style.grass"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names():
            packed.writestr(f"{FAVOURITES}/{name}.cypher", analytics_text(name))
    style.write_text((ANALYTICS / STYLE).read_text(encoding="utf-8"), encoding="utf-8")
    return [archive, style]


def plain(value: Any) -> Any:
    """Return what can be printed: a path as `(User u1)-[FRIEND]->(User u2)`, a time as ISO 8601, the rest as it is.

    The driver's own types are known by what they have, because only `graph.connection` imports the driver.
    """
    if isinstance(value, list):
        return [plain(one) for one in value]
    if hasattr(value, "relationships"):
        parts = [plain(value.start_node)]
        for node, tie in zip(value.nodes[1:], value.relationships, strict=True):
            forward = tie.end_node == node
            parts += [f"-[{tie.type}]->" if forward else f"<-[{tie.type}]-", plain(node)]
        return "".join(parts)
    if hasattr(value, "labels"):
        name = next((value[key] for key in NAMED_BY if key in value), "")
        return f"({' '.join([*sorted(value.labels), str(name)]).strip()})"
    return value.to_native().isoformat() if hasattr(value, "to_native") else value


def _header(text: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the header's plain lines, and its `key: value` lines by key (`param NAME: x` is `param`: `NAME: x`)."""
    plain: list[str] = []
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.startswith("// "):
            break
        found = re.fullmatch(r"// (?:(param) (.+)|(columns|draws|scans): (.+))", line)
        if found:
            fields.setdefault(found[1] or found[3], []).append(found[2] or found[4])
        else:
            plain.append(line.removeprefix("// "))
    return plain, fields


def _pair(name: str, value: str) -> tuple[str, str]:
    parameter, colon, meaning = value.partition(": ")
    if not colon:
        raise ValueError(f"{name}.cypher: `param {value}` does not say what it means")
    return parameter, meaning


def _defaults(clause: str) -> list[tuple[str, Any]]:
    """Return names and values of `literal AS name, literal AS name`."""
    return [(name, _literal(value)) for value, name in re.findall(r"('[^']*'|[-\w.]+) AS (\w+)", clause)]


def _literal(value: str) -> str | int | float | bool | None:
    if value.startswith("'"):
        return value[1:-1]
    if value in LITERALS:
        return LITERALS[value]
    return float(value) if "." in value else int(value)


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _typed(parameter: Parameter, value: str) -> str | int | float | bool | None:
    """Read a text as the type of the default; where that is null, as a text."""
    if value == "null":
        return None
    try:
        match parameter.default:
            case bool():
                return {"true": True, "false": False}[value]
            case int():
                return int(value)
            case float():
                return float(value)
            case _:
                return value
    except (KeyError, ValueError):
        kind = type(parameter.default).__name__
        raise InputError(f"{parameter.name} must be of type {kind}, as {parameter.default} is: {value!r}") from None
