"""`kith cookbook list | show | run | export`: the analysts' questions, also without Neo4j Browser."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.commands.arguments import add, connect
from kith.terminal import print_json, say, table

if TYPE_CHECKING:
    from graph.cookbook import Question


def register(commands: Any) -> None:
    """Add the commands on the cookbook."""
    group = commands.add_parser("cookbook", help="list, show, ask and export the analysts' questions")
    parts = group.add_subparsers(dest="cookbook_command", metavar="ACTION", required=True)
    add(parts, "list", "list the questions with their parameters", list_questions)
    show = add(parts, "show", "print one question's Cypher, to paste into Neo4j Browser", show_question)
    ask = add(parts, "run", "ask one question, reading only", run_question)
    for command in (show, ask):
        command.add_argument("name", metavar="NAME")
    ask.add_argument(
        "--param", action="append", default=[], metavar="K=V", help="set a parameter (may be given several times)"
    )
    files = add(parts, "export", "write favourites and style for Neo4j Browser into a folder", export_files)
    files.add_argument("folder", metavar="DIR", type=Path)


def list_questions(arguments: argparse.Namespace) -> int:
    """List the questions."""
    from dataclasses import asdict

    from graph import cookbook

    questions = [cookbook.question(name) for name in cookbook.names()]
    if arguments.json:
        print_json({"questions": [{k: v for k, v in asdict(one).items() if k != "text"} for one in questions]})
        return 0
    rows = [(one.name, one.title, _defaults(one), "drawn" if one.draws else "table") for one in questions]
    table(("name", "question", "parameters", "answer"), rows)
    return 0


def show_question(arguments: argparse.Namespace) -> int:
    """Print one question."""
    from dataclasses import asdict

    from graph import cookbook

    question = cookbook.question(arguments.name)
    if arguments.json:
        print_json(asdict(question))
    else:
        say(question.text.rstrip())
    return 0


def run_question(arguments: argparse.Namespace) -> int:
    """Ask one question."""
    from graph import cookbook
    from graph.errors import InputError

    given = dict(one.partition("=")[::2] for one in arguments.param)
    unset = [one for one in arguments.param if "=" not in one]
    if unset:
        raise InputError(f"--param {unset[0]} is not K=V")
    question = cookbook.question(arguments.name)
    with connect() as graph:
        rows = cookbook.run(graph, arguments.name, given)
    if arguments.json:
        print_json({"name": question.name, "columns": list(question.columns), "rows": rows})
        return 0
    table(question.columns, [[_cell(row[name]) for name in question.columns] for row in rows], title=question.title)
    return 0


def export_files(arguments: argparse.Namespace) -> int:
    """Write the files that are dropped on Neo4j Browser."""
    from graph import cookbook

    written = cookbook.export(arguments.folder)
    if arguments.json:
        print_json({"files": [str(file) for file in written]})
        return 0
    for file in written:
        say(str(file))
    say("drop each of them on the open page of Neo4j Browser")
    return 0


def _defaults(question: Question) -> str:
    return ", ".join(f"{one.name}={'null' if one.default is None else one.default}" for one in question.parameters)


def _cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
