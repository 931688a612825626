"""docker-compose.yml as Compose reads it, and what the `service` image holds, installed into a folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
SECRETS = ("NEO4J_PASSWORD", "VALKEY_PASSWORD", "KITH_SIGNING_KEY")
KEPT = re.compile(r"HOME|LANG|TMPDIR|XDG_CACHE_HOME|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(UV|PIP)_\w+|\w+_(PROXY|proxy)")
"""Variables of this machine that an install needs; nothing else of it reaches the processes under test."""


class MissingVariableError(Exception):
    """A variable without which Compose refuses to start."""


def compose(environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Return docker-compose.yml with anchors merged and, where `environment` is given, variables filled in.

    Raises:
        MissingVariableError: a variable with `:?` is unset or empty.
    """
    read = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return read if environment is None else _filled(read, environment)


def _filled(value: Any, environment: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, environment) for each in value]
    return VARIABLE.sub(lambda found: _value(found, environment), value) if isinstance(value, str) else value


def _value(found: re.Match[str], environment: dict[str, str]) -> str:
    name, kind, rest = found.groups()
    if given := environment.get(name):
        return given
    if kind == "?":
        raise MissingVariableError(name)
    return rest or ""


def texts(value: Any) -> list[str]:
    """Return every string in a tree of mappings and lists, keys left out."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def bare_environment() -> dict[str, str]:
    """Return what an install or a process of the image may know of this machine."""
    kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    return kept | {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def install(*arguments: object) -> None:
    """Run one step of the script that the Dockerfile runs."""
    subprocess.run(
        [ROOT / "containers/install.sh", *map(str, arguments)],
        cwd=ROOT,
        env=bare_environment() | {"PYTHON": sys.executable},
        check=True,
        timeout=280,
    )


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the first build stage: uv and the build backend."""
    folder = tmp_path_factory.mktemp("image") / "tools"
    install("tools", folder)
    return folder


@pytest.fixture(scope="session")
def service(tools: Path) -> Path:
    """The virtual environment of the `service` image."""
    folder = tools.parent / "kith"
    install("packages", tools, "service", folder)
    install("kith", tools, folder)
    return folder
