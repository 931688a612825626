"""Files of Neo4j's import tool: CSV under typed headers; what they cannot say is found here, not in the graph."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

LIST_SEPARATOR: Final = ";"
MAX_LIST_CHARS: Final = 200_000
"""Longer lists go into the graph by transaction: the tool has a buffer for its longest line."""
KINDS: Final = {str: "string", bool: "boolean", int: "long", float: "double"}
BLOCK_BYTES: Final = 1 << 24


class OddValueError(Exception):
    """A value that the column's header cannot describe, or that the format cannot hold."""


def kind_of(value: Any) -> str | None:
    """Return the header's name for the value's type, None where the tool has none (an empty list says no type)."""
    if isinstance(value, list | tuple):
        return f"{KINDS[type(value[0])]}[]" if value and type(value[0]) in KINDS else None
    return KINDS.get(type(value))


def kind_of_column(values: Iterable[Any]) -> str | None:
    """Return the kind of the first value that has one."""
    return next((kind for value in values if value is not None and (kind := kind_of(value))), None)


def cell(value: Any, kind: str | None) -> Any:
    """Return the value as `csv` shall write it; None stays None.

    Raises:
        OddValueError: the value is of another kind, or a list that the format cannot hold.
    """
    if value is None:
        return None
    if kind_of(value) != kind or kind is None:
        raise OddValueError
    if kind.endswith("[]"):
        texts = [_plain(one) for one in value]
        joined = LIST_SEPARATOR.join(texts)
        if (
            len(joined) > MAX_LIST_CHARS
            or '"' in joined
            or "" in texts
            or joined.count(LIST_SEPARATOR) != len(texts) - 1
        ):
            raise OddValueError
        return joined
    return _plain(value) if kind == "boolean" else value


def _plain(value: Any) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def times(ms: Sequence[int | None]) -> list[str | None]:
    """Return milliseconds since 1970 UTC as the tool reads them, None where there is none."""
    known = np.fromiter((one is not None for one in ms), bool, len(ms))
    given = np.fromiter((one or 0 for one in ms), np.int64, len(ms)).view("datetime64[ms]")
    texts = np.datetime_as_string(given, unit="ms", timezone="UTC").tolist()
    return [text if there else None for text, there in zip(texts, known.tolist(), strict=True)]


class Sheet:
    """One file of nodes or relationships, written row by row."""

    def __init__(self, file: Path, header: Sequence[str]) -> None:
        self.file = file
        self.rows = 0
        self._stream = file.open("w", encoding="utf-8", newline="")
        # With both ends of a line in the terminator, Python puts quotes around texts that hold either.
        self._writer = csv.writer(self._stream, lineterminator="\r\n")
        self._writer.writerow(header)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows in the order of the header."""
        self._writer.writerows(rows)
        self.rows += len(rows)

    def close(self) -> None:
        """End the file."""
        self._stream.close()

    def has_long_lines(self) -> bool:
        """Whether some text in it has more than one line; the tool reads such a file in one piece."""
        returns = feeds = 0
        with self.file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                returns += block.count(b"\r")
                feeds += block.count(b"\n")
        return max(returns, feeds) > self.rows + 1


class Sheets:
    """All files of one load, and how the tool is told of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._nodes: list[tuple[str, Sheet]] = []
        self._relationships: list[tuple[str, Sheet]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, sheet in (*self._nodes, *self._relationships):
            sheet.close()

    def nodes(self, label: str, header: Sequence[str]) -> Sheet:
        """Return a new file of nodes with this label."""
        return self._add(self._nodes, label, header)

    def relationships(self, kind: str, header: Sequence[str]) -> Sheet:
        """Return a new file of relationships of this type; "": a column says it."""
        return self._add(self._relationships, kind, header)

    def _add(self, group: list[tuple[str, Sheet]], name: str, header: Sequence[str]) -> Sheet:
        number = len(self._nodes) + len(self._relationships)
        sheet = Sheet(self.folder / f"{number:02}-{name or 'acts'}.csv", header)
        group.append((name, sheet))
        return sheet

    def counts(self) -> tuple[int, int]:
        """Return how many nodes and relationships there are."""
        nodes, ties = (sum(sheet.rows for _, sheet in group) for group in (self._nodes, self._relationships))
        return nodes, ties

    def arguments(self, report: Path) -> list[str]:
        """Return the tool's command for a new database `neo4j`; every sheet is closed."""
        groups: Mapping[str, list[tuple[str, Sheet]]] = {"nodes": self._nodes, "relationships": self._relationships}
        told = [
            f"--{option}={name}={sheet.file}" if name else f"--{option}={sheet.file}"
            for option, group in groups.items()
            for name, sheet in group
        ]
        long = [str(sheet.file) for _, sheet in (*self._nodes, *self._relationships) if sheet.has_long_lines()]
        return [
            "database", "import", "full", "neo4j", "--id-type=string", "--path-pattern-style=none",
            f"--array-delimiter={LIST_SEPARATOR}", f"--report-file={report}",
            *([f"--multiline-fields={','.join(long)}", "--multiline-fields-format=v2"] if long else []),
            *told,
        ]  # fmt: skip
