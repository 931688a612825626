"""`kith doctor`: look at everything that can be wrong on this machine, and say the cure of each fault in one line."""

from __future__ import annotations

import os
from dataclasses import fields

from graph.errors import GraphError
from graph.settings import Settings
from kith.doctor import machine, parts
from kith.doctor.finding import Check, Finding

__all__ = ["Finding", "doctor"]

CHECKS: tuple[Check, ...] = (
    machine.settings,
    machine.python,
    machine.packages,
    machine.java,
    machine.jars,
    machine.ports,
    machine.memory,
    machine.disk,
    machine.home,
    machine.secrets,
    parts.stack,
    parts.neo4j,
    parts.broker,
    parts.event_stream,
    parts.api,
    machine.tools,
)


def doctor(settings: Settings | None = None) -> list[Finding]:
    """Run every check; a check that fails to run is itself a finding.

    Args:
        settings: what to look at; default: the environment's, with unknown variables found and left out.
    """
    known = {f.metadata["variable"] for f in fields(Settings)}
    found = list(machine.unknown_variables(os.environ, known))
    if settings is None:
        unknown = {finding.detail for finding in found}
        try:
            settings = Settings.load({name: value for name, value in os.environ.items() if name not in unknown})
        except GraphError as error:
            return [*found, Finding("settings", False, str(error), "correct the variable")]
    for check in CHECKS:
        try:
            found.extend(check(settings))
        except (GraphError, OSError) as error:
            found.append(Finding(check.__name__, False, str(error), "see the line"))
    return found
