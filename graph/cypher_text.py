"""Named Cypher: every query lies in `graph/cypher/*.cypher` under a line `// name: what it answers`.

`load("events.write_shares")` is block `write_shares` of `events.cypher`; `load("analytics.cascade")` is the file
`graph/analytics/cascade.cypher` with parameters where it has defaults. The one cast to `LiteralString` is here: no
other module builds query text, so what reaches the server is what the files say.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

FOLDER = Path(__file__).parent / "cypher"
ANALYTICS = Path(__file__).parent / "analytics"
_LITERAL = r"(?:null|true|false|-?\d+(?:\.\d+)?|'[^'\\]*')"
DEFAULTS = re.compile(rf"^WITH (?P<defaults>{_LITERAL} AS \w+(?:, {_LITERAL} AS \w+)*)$", re.MULTILINE)
"""The line of a question of the cookbook that holds its parameters: `WITH null AS userId, 7 AS days`."""
HEADER = re.compile(r"^// (?P<name>[a-z][a-z0-9_]*): (?P<answers>.+)$", re.MULTILINE)


@cache
def blocks(stem: str) -> dict[str, LiteralString]:
    """Return the queries of one file by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a name stands twice, or text stands before the first name.
    """
    text = (FOLDER / f"{stem}.cypher").read_text(encoding="utf-8")
    headers = list(HEADER.finditer(text))
    if not headers or text[: headers[0].start()].strip():
        raise ValueError(f"{stem}.cypher: a query stands without a name")
    found: dict[str, LiteralString] = {}
    for header, after in zip(headers, [*headers[1:], None], strict=True):
        name = header["name"]
        if name in found:
            raise ValueError(f"{stem}.cypher: {name} stands twice")
        body = text[header.end() : after.start() if after else None].strip().rstrip(";")
        found[name] = cast("LiteralString", body)
    return found


def load(name: str) -> LiteralString:
    """Return the text of the query `stem.block`.

    Raises:
        KeyError: there is no such query.
    """
    stem, _, block = name.partition(".")
    return _question(block) if stem == ANALYTICS.name else blocks(stem)[block]


def analytics_text(name: str) -> str:
    """Return a file of the cookbook as it is.

    Raises:
        KeyError: there is no such file.
    """
    if name not in {path.stem for path in ANALYTICS.glob("*.cypher")}:
        raise KeyError(name)
    return (ANALYTICS / f"{name}.cypher").read_text(encoding="utf-8")


@cache
def _question(name: str) -> LiteralString:
    """Return a question's text with `$name` for each default: only the file's own words are put together."""
    text = analytics_text(name)
    first = DEFAULTS.search(text)
    if first:
        asked = re.sub(rf"{_LITERAL} AS (\w+)", r"$\1 AS \1", first["defaults"])
        text = text[: first.start("defaults")] + asked + text[first.end("defaults") :]
    return cast("LiteralString", text)


def names() -> list[str]:
    """Return the name of every query, sorted."""
    questions = [f"{ANALYTICS.name}.{path.stem}" for path in ANALYTICS.glob("*.cypher")]
    return sorted([f"{p.stem}.{block}" for p in FOLDER.glob("*.cypher") for block in blocks(p.stem)] + questions)
