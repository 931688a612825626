from __future__ import annotations

from kith import terminal


def test_lines_say_only_what_is_new(capsys):
    with terminal.progress("import") as show:
        show("users", 10, 100)
        show("users", 20, 100)
        show("users", 100, 100)
        show("users", 100, 100)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "import users: 10 of 100",
        "import users: 100 of 100",
    ]


def test_a_table_shows_missing_values_and_short_numbers(capsys):
    terminal.table(("name", "score"), [("a", 0.123456), ("b", None)])
    told = capsys.readouterr().out
    assert "0.1235" in told
    assert "-" in told
