"""Settings: one frozen object per process, read once at the entry point from the environment.

`NEO4J_URI`, `NEO4J_USER`, `NEO4J_PASSWORD` point to a server of the operator's; without them the local stack's own
is used. Every other variable begins with `KITH_`; an unknown one stops the start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from graph.errors import SettingsError

CONSENT_PURPOSES = ("personalisation", "sharing", "analytics")
ATTRIBUTIONS = ("last", "first", "linear")
UNKNOWN_AGES = ("young", "adult")
MOST_EXPLORED = 0.5
MOST_SHARE_CAP = 1_000
MOST_INCREMENTAL = 1_000
MOST_FULL_DAYS = 366.0
MOST_SHARE_CAP_HOURS = 24.0 * 365
STREAM_NAME = re.compile(r"[!-~]{1,200}")
API_HOSTS = ("127.0.0.1", "0.0.0.0")  # noqa: S104  health checks and `kith demo` reach both on loopback


def setting(variable: str, default: Any, about: str) -> Any:
    """Declare a setting: the variable that sets it, its default and one line for the documentation."""
    return field(default=default, metadata={"variable": variable, "about": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of a Kith process; `Settings.load()` reads them."""

    home: Path = setting("KITH_HOME", Path("~/.local/share/kith"), "folder of stores, logs, artifacts, secrets")
    cache: Path = setting("KITH_CACHE", Path("~/.cache/kith"), "folder of downloaded jars and prepared benchmarks")
    neo4j_uri: str = setting("NEO4J_URI", "", "an existing Neo4j (bolt, neo4j, +s, +ssc); empty: start a local one")
    neo4j_user: str = setting("NEO4J_USER", "neo4j", "user name for Neo4j")
    neo4j_password: str = setting("NEO4J_PASSWORD", "", "password for Neo4j; local: generated, in a 0600 file")
    neo4j_database: str = setting("NEO4J_DATABASE", "neo4j", "database name")
    broker_url: str = setting("KITH_BROKER_URL", "", "an existing Redis or Valkey; empty: start a local Valkey")
    event_stream: str = setting("KITH_EVENT_STREAM", "", "stream on the broker that events are read from; empty: none")
    bolt_port: int = setting("KITH_BOLT_PORT", 7687, "port of the local Neo4j's Bolt")
    browser_port: int = setting("KITH_BROWSER_PORT", 7474, "port of the local Neo4j's HTTP and Neo4j Browser")
    broker_port: int = setting("KITH_BROKER_PORT", 6380, "port of the local Valkey")
    api_host: str = setting("KITH_API_HOST", "127.0.0.1", "where the API listens: 127.0.0.1, or 0.0.0.0 in a container")
    api_port: int = setting("KITH_API_PORT", 8480, "port of the API")
    neo4j_heap_mb: int = setting("KITH_NEO4J_HEAP_MB", 1024, "heap of the local Neo4j, MB, whole from the start")
    neo4j_page_cache_mb: int = setting("KITH_NEO4J_PAGE_CACHE_MB", 256, "page cache of the local Neo4j, MB")
    api_workers: int = setting("KITH_API_WORKERS", 2, "API server processes")
    api_threads: int = setting("KITH_API_THREADS", 4, "requests that one API server process answers at a time")
    api_streams: int = setting("KITH_API_STREAMS", 32, "live streams per API server process; one more gets a 503")
    consent_default: tuple[str, ...] = setting(
        "KITH_CONSENT_DEFAULT", (), "consent of new users: comma-separated purposes, `all` or `none`"
    )
    unknown_ids: str = setting("KITH_UNKNOWN_IDS", "create", "events naming unknown users or items: create | refuse")
    ledger_days: int = setting("KITH_LEDGER_DAYS", 90, "days the event ledger is kept; older events are refused")
    attribution: str = setting(
        "KITH_ATTRIBUTION", "last", "share credited with a purchase: last | first of its chain | linear (all alike)"
    )
    look_back_days: int = setting(
        "KITH_LOOK_BACK_DAYS", 30, "a purchase is credited to shares at most so many days old"
    )
    wait_days: int = setting("KITH_WAIT_DAYS", 30, "an event waits at most so many days for the share it names")
    read_timeout_s: float = setting("KITH_READ_TIMEOUT_S", 5.0, "transaction timeout of reads")
    write_timeout_s: float = setting("KITH_WRITE_TIMEOUT_S", 60.0, "transaction timeout of writes")
    explore: float = setting("KITH_EXPLORE", 0.0, "share of a personal list's places that are drawn, 0 to 0.5")
    unknown_age: str = setting("KITH_UNKNOWN_AGE", "young", "users without a birthDate count as young | adult")
    catalogue_items: int = setting(
        "KITH_CATALOGUE_ITEMS", 1_000_000, "items whose attributes each API process keeps, about 300 bytes each"
    )
    share_cap: int = setting(
        "KITH_SHARE_CAP", 10, "who was sent so many shares within KITH_SHARE_CAP_HOURS is no share target; 0: no cap"
    )
    share_cap_hours: float = setting("KITH_SHARE_CAP_HOURS", 24.0, "window of KITH_SHARE_CAP, hours")
    served_days: int = setting("KITH_SERVED_DAYS", 30, "days that served lists are kept; 0: they are not recorded")
    served_mb: int = setting("KITH_SERVED_MB", 2_000, "MB of served lists that are kept at most, the newest")
    train_timeout_s: float = setting("KITH_TRAIN_TIMEOUT_S", 14400.0, "a training child is killed after this")
    train_settings: str = setting(
        "KITH_TRAIN_SETTINGS", "", "a file of kith tune that every training here follows; empty: the defaults"
    )
    incremental_trainings: int = setting(
        "KITH_INCREMENTAL_TRAININGS", 6, "after so many incremental trainings a full one is made instead"
    )
    full_training_days: float = setting(
        "KITH_FULL_TRAINING_DAYS", 7.0, "where the last full training is older a full one is made instead, days"
    )
    kept_artifacts: int = setting("KITH_KEPT_ARTIFACTS", 5, "model folders kept on disk")
    max_body_bytes: int = setting("KITH_MAX_BODY_BYTES", 4_000_000, "largest request body the API accepts")
    signing_key: str = setting("KITH_SIGNING_KEY", "", "key that signs recommendationId; local: generated, 0600")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from the environment (or the given mapping).

        Raises:
            SettingsError: an unknown `KITH_*` variable, or a value that does not parse; one line that says which.
        """
        env = os.environ if environ is None else environ
        known = {f.metadata["variable"]: f for f in fields(cls)}
        for variable in env:
            if variable.startswith("KITH_") and variable not in known:
                raise SettingsError(f"unknown setting {variable}; `kith doctor` lists the known ones")
        given: dict[str, Any] = {
            f.name: _parse(variable, env[variable], f.default) for variable, f in known.items() if env.get(variable)
        }
        base = env.get("HOME") or str(Path.home())
        if "home" not in given:
            given["home"] = Path(env.get("XDG_DATA_HOME") or f"{base}/.local/share") / "kith"
        if "cache" not in given:
            given["cache"] = Path(env.get("XDG_CACHE_HOME") or f"{base}/.cache") / "kith"
        settings = cls(**given)
        if settings.unknown_ids not in ("create", "refuse"):
            raise SettingsError(f"KITH_UNKNOWN_IDS is {settings.unknown_ids!r}; use create or refuse")
        if settings.attribution not in ATTRIBUTIONS:
            raise SettingsError(f"KITH_ATTRIBUTION is {settings.attribution!r}; use {', '.join(ATTRIBUTIONS)}")
        settings._check_lists()
        settings._check_trainings()
        if settings.wait_days < 1:
            raise SettingsError(f"KITH_WAIT_DAYS is {settings.wait_days}; an event waits one day at least")
        if settings.event_stream and not STREAM_NAME.fullmatch(settings.event_stream):
            raise SettingsError("KITH_EVENT_STREAM is no name of 1 to 200 printable ASCII characters without spaces")
        if settings.api_host not in API_HOSTS:
            raise SettingsError(f"KITH_API_HOST is {settings.api_host!r}; use {' or '.join(API_HOSTS)}")
        if settings.neo4j_uri and not settings.neo4j_password:
            raise SettingsError("NEO4J_URI is set but NEO4J_PASSWORD is not")
        return settings

    def _check_lists(self) -> None:
        """Judge the settings of served lists.

        Raises:
            SettingsError: one is out of its range.
        """
        if not 0.0 <= self.explore <= MOST_EXPLORED:
            raise SettingsError(f"KITH_EXPLORE is {self.explore}; use a share from 0 to {MOST_EXPLORED}")
        if self.unknown_age not in UNKNOWN_AGES:
            raise SettingsError(f"KITH_UNKNOWN_AGE is {self.unknown_age!r}; use {' or '.join(UNKNOWN_AGES)}")
        if min(self.catalogue_items, self.served_days, self.served_mb) < 0:
            raise SettingsError("KITH_CATALOGUE_ITEMS, KITH_SERVED_DAYS and KITH_SERVED_MB are 0 or more")
        if not 0 <= self.share_cap <= MOST_SHARE_CAP:
            raise SettingsError(f"KITH_SHARE_CAP is {self.share_cap}; use 0 to {MOST_SHARE_CAP}")
        if not 0 < self.share_cap_hours <= MOST_SHARE_CAP_HOURS:
            raise SettingsError(f"KITH_SHARE_CAP_HOURS is {self.share_cap_hours}; use hours up to a year")

    def _check_trainings(self) -> None:
        """Judge the limits of incremental trainings.

        Raises:
            SettingsError: one is out of its range.
        """
        if not 0 <= self.incremental_trainings <= MOST_INCREMENTAL:
            raise SettingsError(
                f"KITH_INCREMENTAL_TRAININGS is {self.incremental_trainings}; use 0 to {MOST_INCREMENTAL}"
            )
        if not 0 < self.full_training_days <= MOST_FULL_DAYS:
            raise SettingsError(f"KITH_FULL_TRAINING_DAYS is {self.full_training_days}; use days up to a year")

    @property
    def is_local_neo4j(self) -> bool:
        """Whether Kith starts its own Neo4j."""
        return not self.neo4j_uri

    @property
    def is_local_broker(self) -> bool:
        """Whether Kith starts its own Valkey."""
        return not self.broker_url

    @property
    def password_file(self) -> Path:
        """Where the local Neo4j's generated password lies (mode 0600)."""
        return self.home / "secrets" / "neo4j-password"

    @property
    def signing_key_file(self) -> Path:
        """Where the generated signing key lies (mode 0600)."""
        return self.home / "secrets" / "signing-key"

    @property
    def bolt_uri(self) -> str:
        """The Bolt address to connect to."""
        return self.neo4j_uri or f"bolt://127.0.0.1:{self.bolt_port}"

    @property
    def broker(self) -> str:
        """The broker address to connect to."""
        return self.broker_url or f"redis://127.0.0.1:{self.broker_port}/0"

    @property
    def logs(self) -> Path:
        """Folder of every process's log."""
        return self.home / "logs"

    @property
    def artifacts(self) -> Path:
        """Folder of trained models, one folder per `modelVersion`."""
        return self.home / "artifacts"

    @property
    def snapshots(self) -> Path:
        """Folder of exported snapshots, one per job while it runs."""
        return self.home / "snapshots"

    @property
    def served(self) -> Path:
        """Folder of served lists, Parquet by hour."""
        return self.home / "served"

    def password(self) -> str:
        """Return Neo4j's password: from the environment, else from the local stack's file.

        Raises:
            SettingsError: there is neither.
        """
        return self.neo4j_password or _read_secret(self.password_file, "no local Neo4j here yet: run `kith up`")

    def signing_secret(self) -> str:
        """Return the key that signs `recommendationId`.

        Raises:
            SettingsError: `KITH_SIGNING_KEY` is not set and the local stack has not generated one.
        """
        return self.signing_key or _read_secret(
            self.signing_key_file, "KITH_SIGNING_KEY is not set and the local stack has not made one: run `kith up`"
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of a child process: this process's, with exactly these settings."""
        known = {f.metadata["variable"]: f.name for f in fields(self)}
        kept = {name: value for name, value in os.environ.items() if name not in known}
        kept |= {variable: _text(getattr(self, name)) for variable, name in known.items()}
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), kept.get("PYTHONPATH"))))
        return {name: value for name, value in kept.items() if value}


def _read_secret(path: Path, missing: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise SettingsError(missing) from None


def _parse(variable: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
        if isinstance(default, Path):
            return Path(text).expanduser().resolve()
        if isinstance(default, tuple):
            return _parse_consent(text)
    except (ValueError, KeyError):
        raise SettingsError(f"{variable} is {text!r}, which is not a {type(default).__name__}") from None
    return text


def _parse_consent(text: str) -> tuple[str, ...]:
    if text == "all":
        return CONSENT_PURPOSES
    if text == "none":
        return ()
    purposes = tuple(part.strip() for part in text.split(","))
    if unknown := [p for p in purposes if p not in CONSENT_PURPOSES]:
        raise ValueError(unknown)
    return purposes


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "all" if value == CONSENT_PURPOSES else ",".join(value) or "none"
    return str(value)
