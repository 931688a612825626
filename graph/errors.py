"""Errors of the graph package, and the translation of the driver's; each knows whether trying again can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class GraphError(Exception):
    """Root of the graph package's errors."""

    retryable = False


class SettingsError(GraphError):
    """A setting is unknown, malformed or missing."""


class UnavailableError(GraphError):
    """Neo4j cannot be reached or did not answer in time, or it was given all the work that it may have at a time."""

    retryable = True


class AuthenticationError(GraphError):
    """Neo4j refused the user name or password."""


class LocalServerError(GraphError):
    """A process of the local stack could not be fetched, configured or started; the message says what to do."""


class SchemaError(GraphError):
    """The graph's schema is newer than this code, or could not be applied."""


class NotFoundError(GraphError):
    """The thing asked for is not in the graph."""


class ConflictError(GraphError):
    """The write contradicts what is already there (same id, other body; a lost lease)."""


class SupersededError(ConflictError):
    """Another version was published since this one was compared with the published one."""


class HeldBackError(GraphError):
    """A version is worse than the published one and was not published; it is kept.

    `model_version` names it, `verdict` has the figures.
    """

    def __init__(self, message: str, model_version: str, verdict: dict[str, Any]) -> None:
        super().__init__(message)
        self.model_version, self.verdict = model_version, verdict


class MalformedError(GraphError):
    """A text is not the strict JSON that Kith takes."""


class InputError(GraphError):
    """Input was refused; `errors` names each field."""

    def __init__(self, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


# What Neo4j answers for a transaction that it ended itself, past its time or told to, by where it stood just then.
_ENDED_BY_THE_SERVER = ("TransactionTimedOut", "Transaction.LockClientStopped", "Transaction.Terminated")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into this package's.

    Raises:
        AuthenticationError, UnavailableError, ConflictError, GraphError: as each class says.
    """
    # The driver loads numpy and pandas: who needs only the error classes (supervisor, `kith --help`) shall not wait.
    from neo4j import exceptions as driver  # noqa: PLC0415

    try:
        yield
    except driver.AuthError as error:
        raise AuthenticationError(
            "Neo4j refused the user name or password: check NEO4J_USER, NEO4J_PASSWORD"
        ) from error
    except (driver.ServiceUnavailable, driver.SessionExpired) as error:
        raise UnavailableError(f"Neo4j cannot be reached: {_one_line(error)}") from error
    except driver.ConstraintError as error:
        raise ConflictError(_one_line(error)) from error
    except driver.Neo4jError as error:
        if error.is_retryable() or any(code in (error.code or "") for code in _ENDED_BY_THE_SERVER):
            raise UnavailableError(_one_line(error)) from error
        raise GraphError(f"{error.code}: {_one_line(error)}") from error
    except driver.DriverError as error:
        raise UnavailableError(f"the driver gave up: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
