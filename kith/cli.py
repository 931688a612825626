"""The command line. Each command lives in `kith/commands/`; nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from kith import __version__
from kith.commands import (
    answers,
    backup,
    campaigns,
    cascades,
    cookbook,
    data,
    demo,
    evaluation,
    keys,
    models,
    served,
    stack,
    stream,
    training,
    tuning,
)
from kith.terminal import fail

EPILOG = """\
the usual way:
  kith demo                      see everything at work on a generated world
  kith up                        start Neo4j, broker, workers and API on this machine
  kith import DIR                load users, items, friendships, events
  kith train --wait              export, train, evaluate, publish
  kith recommend USER            ask

Every setting is an environment variable; `kith doctor` lists them with their values."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="kith",
        description="Kith: recommendations, share targets and influence from one graph in Neo4j.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"kith {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for group in (
        demo,
        stack,
        data,
        training,
        tuning,
        models,
        keys,
        stream,
        served,
        backup,
        answers,
        campaigns,
        cascades,
        cookbook,
        evaluation,
    ):
        group.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    arguments = parser().parse_args(argv)
    from engine.errors import EngineError

    try:
        return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        fail("interrupted")
        return 130
    except BrokenPipeError:
        return 1
    except (EngineError, OSError) as error:
        fail(str(error))
        return 2
    except Exception as error:
        return _graph_error(error)


def _graph_error(error: Exception) -> int:
    """Say a known error in one line; let an unknown one through with its traceback, because it is a bug."""
    if "torch" in str(error) and isinstance(error, ImportError):
        fail("this command needs torch: install the extra `train` (pip install 'kithgraph[train]')")
        return 2
    from graph.errors import GraphError, InputError, NotFoundError, SettingsError

    if not isinstance(error, GraphError):
        raise error
    fail(str(error))
    if isinstance(error, InputError):
        for entry in error.errors[:20]:
            fail(f"  {entry.get('pointer', '')} {entry.get('detail', '')}".rstrip())
    return 2 if isinstance(error, InputError | NotFoundError | SettingsError) else 1


if __name__ == "__main__":
    sys.exit(main())
