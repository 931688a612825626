"""`python -m kith.stack.prepare`: wait for Neo4j, bring the schema up to date, end. Runs once at every start."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import replace

from graph import connection, logs, schema
from graph.errors import AuthenticationError, GraphError, UnavailableError
from graph.settings import Settings

log = logging.getLogger("kith.stack")

WAIT_S = 180.0
FIRST_QUERY_TIMEOUT_S = 60.0
_POLL_S = 0.2


def main() -> int:
    """Return 0 when the graph is ready, 1 with one line that says what to do when it is not."""
    logs.set_up()
    try:
        # The first queries load the planner, which on a busy machine takes longer than a read may.
        settings = replace(Settings.load(), read_timeout_s=FIRST_QUERY_TIMEOUT_S)
        _wait(settings)
        with connection.connect(settings) as graph:
            schema.apply(graph)
    except AuthenticationError:
        whence = "NEO4J_PASSWORD" if settings.neo4j_password else f"the password in {settings.password_file}"
        log.error("Neo4j refused the password: %s is not the one of user %s", whence, settings.neo4j_user)
        return 1
    except GraphError as error:
        log.error("%s", error)
        return 1
    return 0


def _wait(settings: Settings) -> None:
    """Wait until the server takes a query.

    Raises:
        AuthenticationError, UnavailableError: at once, or after `WAIT_S`.
    """
    deadline = time.monotonic() + WAIT_S
    with connection.connect(settings) as graph:
        while True:
            try:
                graph.verify()
                return
            except UnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)


if __name__ == "__main__":
    sys.exit(main())
