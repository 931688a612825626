from __future__ import annotations

from graph.settings import Settings
from kith.stack import plan, table


def test_a_plan_reads_back_and_holds_no_secret(home: Settings) -> None:
    processes = table.processes(home, ["java", "@arguments"])
    file = plan.write(home, processes)
    assert plan.read(file) == processes
    assert "password" not in file.read_text()
