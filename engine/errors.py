"""Errors of the engine; each knows whether trying again can help."""


class EngineError(Exception):
    """Root of the engine's errors."""

    retryable = False


class DataError(EngineError):
    """Input data is missing, malformed or too small for what was asked."""


class ArtifactError(EngineError):
    """A snapshot or model folder is incomplete, altered or of an unknown format."""


class TrainingError(EngineError):
    """Training could not produce a usable model (for example a loss that is not finite)."""
