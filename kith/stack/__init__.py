"""The local stack: Neo4j, broker, workers, scheduler and API as child processes of one detached supervisor.

`up`, `down`, `status`, `addresses` and `peak_memory` are all that the rest of Kith needs.
"""

from __future__ import annotations

from kith.stack.control import addresses, down, peak_memory, status, up
from kith.stack.state import ProcessStatus, StackStatus

__all__ = ["ProcessStatus", "StackStatus", "addresses", "down", "peak_memory", "status", "up"]
