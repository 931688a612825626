"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graph.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `cure` says what to do when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    cure: str = ""
    note: bool = False
    """No fault, but worth knowing: something optional is missing."""


Check = Callable[[Settings], Iterator[Finding]]
