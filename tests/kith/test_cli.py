"""The command line as a stranger meets it: help everywhere, one line for a mistake, nothing heavy loaded for help."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kith.cli import main, parser
from tests.docs.test_documents import commands

ALL = [command.split()[1:] for command in commands(parser())]


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "--json" in told
    assert f"usage: kith {' '.join(command)}" in told


def test_help_loads_neither_torch_nor_the_driver():
    program = (
        "import sys, kith.cli; kith.cli.parser().format_help(); print('torch' in sys.modules, 'neo4j' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_an_unknown_setting_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("KITH_BOLT_PROT", "7687")
    assert main(["status"]) == 2
    assert "KITH_BOLT_PROT" in capsys.readouterr().err


def test_a_missing_folder_is_one_line(tmp_path, capsys):
    assert main(["evaluate", "interest", "--data", str(tmp_path / "nothing")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_offline_training_needs_both_ends(capsys):
    assert main(["train", "--from", "somewhere"]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        ["--from", "somewhere", "--out", "there", "--incremental"],
        ["--from", "somewhere", "--out", "there", "--base", "m1"],
        ["--base", "m1", "--incremental"],
    ],
    ids=["no base", "not asked for", "no source"],
)
def test_an_incremental_training_offline_needs_its_base(line, capsys):
    assert main(["train", *line]) == 2
    assert "--base" in capsys.readouterr().err
