"""The way in: command line and local stack."""

__version__ = "0.1.0"
