"""Named Cypher: every query lies in `graph/cypher/*.cypher` under a line `// name: what it answers`.

`load("events.write_shares")` is block `write_shares` of `events.cypher`. The one cast to `LiteralString` is here: no
other module builds query text, so what reaches the server is what the files say.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

FOLDER = Path(__file__).parent / "cypher"
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
    return blocks(stem)[block]


def names() -> list[str]:
    """Return the name of every query, sorted."""
    return sorted(f"{path.stem}.{block}" for path in FOLDER.glob("*.cypher") for block in blocks(path.stem))
