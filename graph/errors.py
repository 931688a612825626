"""Errors of the graph package, and the translation of the driver's; each knows whether trying again can help."""

from __future__ import annotations


class GraphError(Exception):
    """Root of the graph package's errors."""

    retryable = False


class SettingsError(GraphError):
    """A setting is unknown, malformed or missing."""


class UnavailableError(GraphError):
    """Neo4j cannot be reached or did not answer in time."""

    retryable = True


class AuthenticationError(GraphError):
    """Neo4j refused the user name or password."""


class SchemaError(GraphError):
    """The graph's schema is newer than this code, or could not be applied."""


class NotFoundError(GraphError):
    """The thing asked for is not in the graph."""


class ConflictError(GraphError):
    """The write contradicts what is already there (same id, other body; a lost lease)."""


class InputError(GraphError):
    """Input was refused; `errors` names each field."""

    def __init__(self, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []
