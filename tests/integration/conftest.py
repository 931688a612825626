"""The parts that the stack's tests share; Neo4j and Valkey come from the outer `conftest.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PUBLIC_DATA = Path(os.environ.get("TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
"""Where public benchmark folders lie, if they are there."""


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public benchmarks; a test that needs it is skipped where it is not there."""
    if not PUBLIC_DATA.is_dir():
        pytest.skip(f"no public data in {PUBLIC_DATA}")
    return PUBLIC_DATA
