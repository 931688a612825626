"""Settings: read once, refused with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.errors import SettingsError
from graph.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.load({"HOME": "/home/ada"})
    assert settings.home == Path("/home/ada/.local/share/kith")
    assert settings.bolt_uri == "bolt://127.0.0.1:7687"
    assert settings.broker == "redis://127.0.0.1:6380/0"
    assert settings.is_local_neo4j and settings.is_local_broker
    assert settings.consent_default == ()


def test_an_unknown_variable_stops_the_start() -> None:
    with pytest.raises(SettingsError, match=r"unknown setting KITH_BOLT_PROT; .*doctor"):
        Settings.load({"KITH_BOLT_PROT": "1"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KITH_BOLT_PORT", "x"),
        ("KITH_READ_TIMEOUT_S", "soon"),
        ("KITH_CONSENT_DEFAULT", "everything"),
        ("KITH_UNKNOWN_IDS", "guess"),
        ("KITH_API_HOST", "192.0.2.1"),
    ],
)
def test_a_malformed_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.load({variable: value})


def test_another_server_needs_its_password() -> None:
    with pytest.raises(SettingsError, match="NEO4J_PASSWORD"):
        Settings.load({"NEO4J_URI": "neo4j+s://graph.example"})
    settings = Settings.load({"NEO4J_URI": "neo4j+s://graph.example", "NEO4J_PASSWORD": "pw"})
    assert not settings.is_local_neo4j
    assert settings.bolt_uri == "neo4j+s://graph.example"
    assert settings.password() == "pw"


def test_consent_takes_purposes_all_and_none() -> None:
    assert Settings.load({"KITH_CONSENT_DEFAULT": "all"}).consent_default == (
        "personalisation",
        "sharing",
        "analytics",
    )
    assert Settings.load({"KITH_CONSENT_DEFAULT": "none"}).consent_default == ()
    assert Settings.load({"KITH_CONSENT_DEFAULT": "analytics, sharing"}).consent_default == ("analytics", "sharing")


def test_a_missing_secret_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(SettingsError, match="kith up"):
        settings.password()
    settings.password_file.parent.mkdir()
    settings.password_file.write_text("secret\n")
    assert settings.password() == "secret"


def test_events_wait_for_one_day_at_least() -> None:
    assert Settings.load({"KITH_WAIT_DAYS": "1"}).wait_days == 1
    with pytest.raises(SettingsError, match="KITH_WAIT_DAYS is 0"):
        Settings.load({"KITH_WAIT_DAYS": "0"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KITH_SHARE_CAP", "-1"),
        ("KITH_SHARE_CAP", "1001"),
        ("KITH_SHARE_CAP", "few"),
        ("KITH_SHARE_CAP_HOURS", "0"),
        ("KITH_SHARE_CAP_HOURS", "nan"),
        ("KITH_SHARE_CAP_HOURS", "8761"),
    ],
)
def test_the_cap_on_shares_has_a_range(variable: str, value: str) -> None:
    assert Settings.load({"KITH_SHARE_CAP": "0", "KITH_SHARE_CAP_HOURS": "0.5"}).share_cap == 0
    with pytest.raises(SettingsError, match=variable):
        Settings.load({variable: value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KITH_INCREMENTAL_TRAININGS", "-1"),
        ("KITH_INCREMENTAL_TRAININGS", "1001"),
        ("KITH_FULL_TRAINING_DAYS", "0"),
        ("KITH_FULL_TRAINING_DAYS", "nan"),
        ("KITH_FULL_TRAINING_DAYS", "400"),
    ],
)
def test_incremental_trainings_have_limits(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.load({variable: value})
